"""Metrics that the hosts do not have, or have wrong."""
from .video_text_recall import VideoTextRecall

__all__ = ['VideoTextRecall']
