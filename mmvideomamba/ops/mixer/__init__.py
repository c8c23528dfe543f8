"""Both directions of a mixer as one op: api, definition, kernels."""
