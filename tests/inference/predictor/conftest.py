"""Checkpoints with videos and images."""
from prediction_files import image_file, trained_file  # noqa: F401
