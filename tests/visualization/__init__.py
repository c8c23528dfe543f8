"""A package, because other folders hold tests of the same names."""
