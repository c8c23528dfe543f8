"""Steps with infinite losses or gradients: suppressed, explained, repeated."""
