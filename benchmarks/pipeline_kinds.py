"""Pipelines and files for benchmarks of training data."""
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import mmaction
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
# What mmaction2's UniFormerV2 pipeline imports besides.
NEEDED = ('pytorchvideo', 'decord')
_UNIFORMER = ('.mim/configs/recognition/uniformerv2/'
              'uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb.py')


def uniformer(root: str, copies: int) -> Dict[str, Any]:
    """Return the data set of mmaction2's UniFormerV2 config.

    Args:
        root (str): Folder of the videos and of ``train.txt``.
        copies (int): Clips of a video.
    """
    host = Path(mmaction.__file__).parent
    found = dict(
        type='VideoDataset',
        ann_file='train.txt',
        data_root=root,
        data_prefix=dict(video=''),
        pipeline=Config.fromfile(host / _UNIFORMER).train_pipeline)
    if copies > 1:
        found.update(
            type='RepeatAugDataset', num_repeats=copies, sample_once=True)
    return found


def on_device(data: Any) -> None:
    """Leave to the workers what the device does not do, in place.

    Args:
        data (Dataset): A built data set of a recipe.

    Raises:
        ValueError: If a step of the pipeline has no counterpart.
    """
    # Not in older checkouts.
    from mmvideomamba.engine.hooks.clip_augment_hook import draw_only
    reason = draw_only(data)
    if reason:
        raise ValueError(reason)


def prepared_copy(originals: Path, copy: Path, workers: int) -> None:
    """Write the training copy of videos, by the tool's defaults.

    Args:
        originals (Path): Folder of the videos, with ``train.csv``.
        copy (Path): Folder to write; existing files are kept.
        workers (int): Processes.
    """
    subprocess.run([
        sys.executable,
        str(ROOT / 'tools' / 'data' / 'prepare_videos.py'),
        str(originals / 'train.csv'), '--root',
        str(originals), '--out',
        str(copy), '--workers',
        str(workers)
    ],
                   check=True,
                   stdout=subprocess.DEVNULL)
