"""Triton kernels of add + RMSNorm, their launch and the autograd op."""
