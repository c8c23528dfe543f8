"""Pure functions on tensors: the ops of a VideoMamba block."""
from .conv.api import causal_conv1d
from .dispatch import BACKENDS, available_backends, use_backend
from .mixer.api import (ScanParams, bidirectional_mixer,
                        bidirectional_selective_scan)
from .norm.api import add_rms_norm
from .runtime.host import being_traced
from .scan.api import selective_scan

__all__ = [
    'BACKENDS', 'ScanParams', 'add_rms_norm', 'available_backends',
    'being_traced', 'bidirectional_mixer', 'bidirectional_selective_scan',
    'causal_conv1d', 'selective_scan', 'use_backend'
]
