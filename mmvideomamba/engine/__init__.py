"""Parts of the training loop that the hosts do not have."""
