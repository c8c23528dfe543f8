"""Token masks, drawn from frozen teachers or by the data pipeline."""
from .cached_teacher import CachedTeacher
from .clip_teacher import CLIPTeacher, TeacherOutput
from .clip_tower import CLIPTower
from .masked_teacher import MaskedTeacher, TeacherTargets
from .one_clip import one_clip
from .token_mask import (MASK_SOURCES, draw_attention_mask, masks_of,
                         stack_masks, visible_features, visible_per_frame,
                         with_class_token)

__all__ = [
    'CLIPTeacher', 'CLIPTower', 'CachedTeacher', 'MASK_SOURCES',
    'MaskedTeacher', 'TeacherOutput', 'TeacherTargets', 'draw_attention_mask',
    'masks_of', 'one_clip', 'stack_masks', 'visible_features',
    'visible_per_frame', 'with_class_token'
]
