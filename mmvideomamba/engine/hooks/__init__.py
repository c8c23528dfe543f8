"""Hooks that the hosts do not have."""
from .alignment_hook import AlignmentHook
from .finite_loss_hook import FiniteLossHook
from .frame_strip_hook import FrameStripHook
from .resumable_seed_hook import ResumableSeedHook

__all__ = [
    'AlignmentHook', 'FiniteLossHook', 'FrameStripHook', 'ResumableSeedHook'
]
