"""Token masks, drawn from frozen teachers or by the data pipeline."""
from .cached_teacher import CachedTeacher
from .clip_teacher import CLIPTeacher, TeacherOutput
from .clip_tower import CLIPTower
from .masked_teacher import MaskedTeacher, TeacherTargets
from .single_view import merge_single_view
from .visible_tokens import (MASK_SOURCES, NoteMaskPositions,
                             draw_mask_from_attention, masks_of, stack_masks,
                             visible_features, visible_per_frame,
                             with_class_token)

__all__ = [
    'CLIPTeacher', 'CLIPTower', 'CachedTeacher', 'MASK_SOURCES',
    'MaskedTeacher', 'NoteMaskPositions', 'TeacherOutput', 'TeacherTargets',
    'draw_mask_from_attention', 'masks_of', 'merge_single_view', 'stack_masks',
    'visible_features', 'visible_per_frame', 'with_class_token'
]
