"""Hooks that the hosts do not have."""
from .check_config_hook import CheckConfigHook
from .frame_strip_hook import FrameStripHook
from .resumable_seed_hook import ResumableSeedHook

__all__ = ['CheckConfigHook', 'FrameStripHook', 'ResumableSeedHook']
