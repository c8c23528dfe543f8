"""Triton kernels of the convolution, their launch and the autograd op."""
