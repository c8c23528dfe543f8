"""Helpers shared by the kernels: host functions, launcher, threads, lanes."""
