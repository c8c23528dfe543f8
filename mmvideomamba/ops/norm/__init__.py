"""Residual addition and RMSNorm: api, definition, kernels."""
