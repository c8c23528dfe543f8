"""Task heads."""
from .videomamba_head import VideoMambaHead
from .videomamba_regression_head import VideoMambaRegressionHead

__all__ = ['VideoMambaHead', 'VideoMambaRegressionHead']
