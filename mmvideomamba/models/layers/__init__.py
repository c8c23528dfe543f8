"""Building blocks of the backbone, independent of tasks and hosts."""
from .add_norm import (AddLayerNorm, AddRMSNorm, build_add_norm, drop_add,
                       drop_add_norm, takes_draw)
from .attentive_pool import AttentivePool
from .bimamba_mixer import BiMambaMixer
from .draw_distinct import draw_distinct
from .mamba_block import MambaBlock
from .plain_layer import drop_prob_of
from .scan_order import MIXER_ORDERS, SCAN_ORDERS, block_orders, temporal_order
from .sincos_embed import sincos_embed
from .tubelet_embed import TubeletEmbed
from .visible_positions import VisibleTokens, as_visible

__all__ = [
    'AddLayerNorm', 'AddRMSNorm', 'AttentivePool', 'BiMambaMixer',
    'MIXER_ORDERS', 'MambaBlock', 'SCAN_ORDERS', 'TubeletEmbed',
    'VisibleTokens', 'as_visible', 'block_orders', 'build_add_norm',
    'draw_distinct', 'drop_add', 'drop_add_norm', 'drop_prob_of',
    'sincos_embed', 'takes_draw', 'temporal_order'
]
