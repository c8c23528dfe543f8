"""Pure functions on tensors: the ops of a VideoMamba block."""
from .add_rms_norm import add_rms_norm
from .backends import BACKENDS, available_backends, use_backend
from .causal_conv1d import causal_conv1d
from .mixer import bidirectional_mixer
from .selective_scan import (ScanParams, bidirectional_selective_scan,
                             selective_scan)

__all__ = [
    'BACKENDS', 'ScanParams', 'add_rms_norm', 'available_backends',
    'bidirectional_mixer', 'bidirectional_selective_scan', 'causal_conv1d',
    'selective_scan', 'use_backend'
]
