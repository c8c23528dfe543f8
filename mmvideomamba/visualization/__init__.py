"""Pictures drawn by hooks and demos.

``score_chart`` and ``annotated_video`` are imported by name: the first loads
matplotlib, the second a package of the extra ``demo``.
"""
from .alignment import (AlignmentPicture, draw_alignment, picture_of,
                        undisturbed)
from .frame_strip import draw_frame_strip
from .log_picture import log_picture, save_picture
from .text import write_line

__all__ = [
    'AlignmentPicture', 'draw_alignment', 'draw_frame_strip', 'picture_of',
    'log_picture', 'save_picture', 'undisturbed', 'write_line'
]
