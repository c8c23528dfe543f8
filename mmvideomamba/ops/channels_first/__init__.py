"""Functions of ``mamba_ssm`` and ``causal_conv1d``, on our ops.

Signatures, shapes (channels before tokens) and meaning are those of the
packages, so that Mamba-1 code runs with a changed import, on a CPU too:

    from mmvideomamba.ops.channels_first import (causal_conv1d_fn,
                                                 mamba_inner_fn,
                                                 selective_scan_fn)

``use_backend`` and ``MMVIDEOMAMBA_BACKEND`` choose the backend. docs/ops.md
lists the differences from the packages.
"""
from .conv import causal_conv1d_fn
from .inner import mamba_inner_fn
from .scan import selective_scan_fn

__all__ = ['causal_conv1d_fn', 'mamba_inner_fn', 'selective_scan_fn']
