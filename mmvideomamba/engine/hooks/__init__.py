"""Hooks that the hosts do not have."""
from .alignment_hook import AlignmentHook
from .async_upload_hook import AsyncUploadHook
from .bad_media_hook import BadMediaHook
from .check_config_hook import CheckConfigHook
from .clip_augment_hook import ClipAugmentHook
from .cuda_graph_hook import CUDAGraphHook
from .data_wait_hook import DataWaitHook
from .finite_guard_hook import FiniteGuardHook
from .frame_strip_hook import FrameStripHook
from .late_runtime_info_hook import LateRuntimeInfoHook
from .preemption_hook import PreemptionHook
from .resume_hook import ResumeHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .start_notice_hook import StartNoticeHook
from .work_dir_lock_hook import WorkDirLockHook
from .worker_priority_hook import WorkerPriorityHook

__all__ = [
    'AlignmentHook', 'AsyncUploadHook', 'BadMediaHook', 'CUDAGraphHook',
    'CheckConfigHook', 'ClipAugmentHook', 'DataWaitHook', 'FiniteGuardHook',
    'FrameStripHook', 'LateRuntimeInfoHook', 'PreemptionHook', 'ResumeHook',
    'SafeCheckpointHook', 'StartNoticeHook', 'WorkDirLockHook',
    'WorkerPriorityHook'
]
