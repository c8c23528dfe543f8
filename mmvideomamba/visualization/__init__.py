"""Pictures drawn by hooks, demos and predictors.

Text is drawn by Pillow in any script covered by a font of the system.
``annotated_video``, ``score_chart`` and ``video_file`` are imported by name,
as the three modules load the readers of videos.
"""
from .alignment import (AlignmentPicture, draw_alignment, picture_of,
                        undisturbed)
from .frame_strip import Clip, draw_frame_strip, draw_frames
from .log_picture import log_picture, save_picture
from .overlay import overlay
from .text import write_line

__all__ = [
    'AlignmentPicture', 'Clip', 'draw_alignment', 'draw_frame_strip',
    'draw_frames', 'log_picture', 'overlay', 'picture_of', 'save_picture',
    'undisturbed', 'write_line'
]
