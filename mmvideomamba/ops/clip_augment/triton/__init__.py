"""Triton kernels of a clip's augmentation, and the launch of the kernels."""
