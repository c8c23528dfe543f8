"""Hooks that the hosts do not have."""
from .finite_loss_hook import FiniteLossHook
from .frame_strip_hook import FrameStripHook
from .resumable_seed_hook import ResumableSeedHook

__all__ = ['FiniteLossHook', 'FrameStripHook', 'ResumableSeedHook']
