"""Training steps as CUDA graphs: one launch for all kernels of a step."""
