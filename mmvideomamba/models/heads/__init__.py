"""Task heads."""
from .attentive_head import AttentiveHead
from .videomamba_head import VideoMambaHead
from .videomamba_regression_head import VideoMambaRegressionHead

__all__ = ['AttentiveHead', 'VideoMambaHead', 'VideoMambaRegressionHead']
