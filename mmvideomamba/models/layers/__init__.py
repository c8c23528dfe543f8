"""Building blocks of the backbone; they know nothing of tasks or hosts."""
from .add_norm import AddLayerNorm, AddRMSNorm, build_add_norm
from .bimamba_mixer import BiMambaMixer
from .checkpoint import Change, log_changes, unwrap
from .mamba_block import MambaBlock
from .one_clip import one_clip
from .position_embed import (INFLATIONS, inflate_patch_kernel,
                             resize_spatial_embed, resize_temporal_embed,
                             sincos_embed)
from .scan_order import MIXER_ORDERS, SCAN_ORDERS, block_orders, temporal_order
from .token_mask import (MASK_SOURCES, draw_attention_mask, masks_of,
                         stack_masks, visible_features, visible_per_frame,
                         with_class_token)
from .tubelet_embed import TubeletEmbed

__all__ = [
    'AddLayerNorm', 'AddRMSNorm', 'BiMambaMixer', 'Change', 'INFLATIONS',
    'MASK_SOURCES', 'MIXER_ORDERS', 'MambaBlock', 'SCAN_ORDERS',
    'TubeletEmbed', 'block_orders', 'build_add_norm', 'draw_attention_mask',
    'inflate_patch_kernel', 'log_changes', 'masks_of', 'one_clip',
    'resize_spatial_embed', 'resize_temporal_embed', 'sincos_embed',
    'stack_masks', 'temporal_order', 'unwrap', 'visible_features',
    'visible_per_frame', 'with_class_token'
]
