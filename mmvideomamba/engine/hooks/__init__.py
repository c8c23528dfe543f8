"""Hooks that the hosts do not have."""
from .alignment_hook import AlignmentHook
from .frame_strip_hook import FrameStripHook
from .resumable_seed_hook import ResumableSeedHook

__all__ = ['AlignmentHook', 'FrameStripHook', 'ResumableSeedHook']
