# Runtime of all recognition recipes; hooks of the host without an entry here
# keep the host's defaults.
default_scope = 'mmaction'
# Runs mmvideomamba.compat before any model of the host is imported. Types of
# mmvideomamba would be found without the import.
custom_imports = dict(imports=['mmvideomamba'], allow_failed_imports=False)

default_hooks = dict(
    # Losses reach the log without a wait for the GPU in each step.
    runtime_info=dict(type='mmvideomamba.LateRuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    # Model, memory and projected end, before the first line of the logger.
    start_notice=dict(type='mmvideomamba.StartNoticeHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Checkpoint files are complete at any moment; --resume takes the newest.
    checkpoint=dict(
        type='mmvideomamba.SafeCheckpointHook',
        interval=1,
        max_keep_ckpts=3,
        save_best='auto'),
    # Keeps a second training out of the working folder.
    work_dir_lock=dict(type='mmvideomamba.WorkDirLockHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    sync_buffers=dict(type='SyncBuffersHook'),
    # A resumed run ends with the weights of an uninterrupted run.
    resume=dict(type='mmvideomamba.ResumeHook'),
    # Saves and ends with exit code 75 after SIGTERM, SIGUSR1 or SIGHUP.
    preemption=dict(type='mmvideomamba.PreemptionHook'),
    # Carries out bad_media of the data sets, and keeps bad_media.json.
    bad_media=dict(type='mmvideomamba.BadMediaHook'),
    # Ends a training at an infinite or NaN loss or gradient.
    guard=dict(type='mmvideomamba.FiniteGuardHook'),
    # Batches go to the GPU while the GPU works.
    async_upload=dict(type='mmvideomamba.AsyncUploadHook'),
    # Place of the clip augmentation, 'workers' or 'device'; 'auto' takes the
    # cheaper place.
    clip_augment=dict(type='mmvideomamba.ClipAugmentHook', on='auto'),
    # Workers of the loaders give way to the trainer; nice=0 for equals.
    worker_priority=dict(type='mmvideomamba.WorkerPriorityHook', nice=10),
    # Says once an epoch how long the GPU waited for data, and a remedy.
    data_wait=dict(type='mmvideomamba.DataWaitHook'),
    # Launches the kernels of a step as CUDA graphs: 'auto' (where possible),
    # 'on' (an error where impossible) or 'off'.
    cuda_graph=dict(type='mmvideomamba.CUDAGraphHook', mode='auto'))

# Frames, classes or views in conflict end a run before the first step.
custom_hooks = [dict(type='mmvideomamba.CheckConfigHook')]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))

log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
log_level = 'INFO'

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)

load_from = None
resume = False
