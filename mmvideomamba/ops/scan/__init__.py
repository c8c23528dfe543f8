"""Selective scan in one direction: api, definition, kernels."""
