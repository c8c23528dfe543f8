"""Workarounds for bugs of the hosts, applied by ``import mmvideomamba``.

Only files of this folder may patch a host. A file holds a single workaround
and is called like the workaround's row in docs/compatibility.md and in the
doctor's report: a function that returns the cause, '' where the host is sound,
and a cure, which takes a module of the host right after its import, and only
with a cause. Neither a host nor torch or numpy is imported here, so that
``import mmvideomamba`` costs next to nothing.
"""
from typing import List

from . import (adafactor, adjust_bbox, bfloat16_scores, checkpoint,
               color_jitter, compile, config_scope, cpu_ranks, drn,
               feature_head, frozen_lines, fsdp, gradcam, hue,
               image_inferencer, inference_recognizer, inferencer, late_figure,
               mmcv_lite, moviepy, multimodal, numpy_names, pkg_resources,
               pose_mode, pytorchvideo, retrieval_recall, roi_align, tsne,
               tube_overlap, vindlu, vis_cam, visualizer, zero_optimizer)
from .cpu_ranks import cpu_ranks_cfg
from .multimodal import TRANSFORMERS_RANGE, multimodal_trouble
from .workaround import Workaround, installed_version, package_dir

__all__ = [
    'TRANSFORMERS_RANGE', 'WORKAROUNDS', 'Workaround', 'apply',
    'cpu_ranks_cfg', 'installed_version', 'multimodal_trouble', 'package_dir'
]

# The order of application and of the report.
WORKAROUNDS: List[Workaround] = [
    pkg_resources.WORKAROUND, drn.WORKAROUND, checkpoint.WORKAROUND,
    multimodal.WORKAROUND, cpu_ranks.WORKAROUND, compile.WORKAROUND,
    pytorchvideo.WORKAROUND, inferencer.WORKAROUND,
    inference_recognizer.WORKAROUND, image_inferencer.WORKAROUND,
    visualizer.WORKAROUND, moviepy.WORKAROUND, numpy_names.WORKAROUND,
    hue.WORKAROUND, color_jitter.WORKAROUND, retrieval_recall.WORKAROUND,
    tube_overlap.WORKAROUND, bfloat16_scores.WORKAROUND,
    feature_head.WORKAROUND, gradcam.WORKAROUND, vis_cam.WORKAROUND,
    tsne.WORKAROUND, adjust_bbox.WORKAROUND, frozen_lines.WORKAROUND,
    config_scope.WORKAROUND, adafactor.WORKAROUND, zero_optimizer.WORKAROUND,
    fsdp.WORKAROUND, vindlu.WORKAROUND, pose_mode.WORKAROUND,
    roi_align.WORKAROUND, late_figure.WORKAROUND, mmcv_lite.WORKAROUND
]


def apply() -> None:
    """Apply each workaround whose cause is present, once per process.

    Modules of the hosts that are there already are healed at once, others
    right after their import. No host is imported for it.
    """
    for workaround in WORKAROUNDS:
        workaround.apply()
