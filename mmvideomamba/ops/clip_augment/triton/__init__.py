"""Triton kernels of a clip's augmentation, and their launch."""
