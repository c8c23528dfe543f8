"""Triton kernels of the selective scan, their launch and the autograd op."""
