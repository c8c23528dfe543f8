"""Triton kernels and passes of the mixer, and its autograd op."""
