"""Depthwise causal convolution over tokens: api, definition, kernels."""
