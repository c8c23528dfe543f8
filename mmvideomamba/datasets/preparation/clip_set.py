"""Folder of generated clips: encoded in parallel, replaced on request."""
import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
from mmengine.utils import track_parallel_progress, track_progress

from mmvideomamba.extras import require
from .quickstart_scene import PICTURES, load_picture

SETTINGS_FILE = 'settings.json'
# Annotation files of the quickstart's videos and captions. The files are
# written last and mark a whole set, so a new set begins with the removal.
ANNOTATION_FILES = ('classes.txt', 'train.txt', 'val.txt', 'train.json',
                    'val.json', 'vocab.txt')
SPLITS = ('train', 'val')


def encode(frames: np.ndarray, frame_rate: int, options: Sequence[str],
           path: Path) -> None:
    """Encode frames into an .mp4 file, bit by bit the same in each run.

    Args:
        frames (np.ndarray): BGR, shape (t, h, w, 3), uint8.
        frame_rate (int): Frames per second.
        options (Sequence[str]): Options of the encoder.
        path (Path): The file to write.

    Raises:
        RuntimeError: If ffmpeg fails.
    """
    _, height, width, _ = frames.shape
    command = [
        ffmpeg_binary(), '-y', '-loglevel', 'error', '-f', 'rawvideo',
        '-pix_fmt', 'bgr24', '-s', f'{width}x{height}', '-r',
        str(frame_rate), '-i', '-', *options, '-pix_fmt', 'yuv420p', '-fflags',
        '+bitexact', '-flags:v', '+bitexact', '-map_metadata', '-1',
        str(path)
    ]
    done = subprocess.run(
        command, input=frames.tobytes(), capture_output=True, check=False)
    if done.returncode != 0:
        message = done.stderr.decode(errors='replace').strip()
        raise RuntimeError(f'ffmpeg could not write {path}: {message}')


@functools.lru_cache(maxsize=None)
def ffmpeg_binary() -> str:
    """Find the ffmpeg of imageio-ffmpeg.

    Returns:
        str: Path of the program.

    Raises:
        MissingExtraError: If imageio-ffmpeg is not installed.
    """
    encoder: Any = require('imageio_ffmpeg', 'quickstart',
                           'the encoding of the clips')
    return encoder.get_ffmpeg_exe()


def check_sources(encoder: bool = True) -> None:
    """Refuse missing packages before a file is written or removed.

    Args:
        encoder (bool): Whether clips will be encoded. Defaults to True.

    Raises:
        FileNotFoundError: If a photograph is missing.
        MissingExtraError: If a package is not installed.
    """
    for kinds in PICTURES.values():
        for names in kinds.values():
            load_picture(names[0])
    if encoder:
        ffmpeg_binary()


def prepare_folder(out_dir: Path,
                   settings: dict,
                   overwrite: bool,
                   splits: Sequence[str] = SPLITS) -> None:
    """Make the output folder, or check the present content.

    Args:
        out_dir (Path): The output folder.
        settings (dict): Settings of this run.
        overwrite (bool): Whether a set of other settings may be removed.
        splits (Sequence[str]): Folders of clips of the tool. Defaults to
            training and validation.

    Raises:
        FileExistsError: If the folder holds something else.
    """
    settings_path = out_dir / SETTINGS_FILE
    if out_dir.exists() and not settings_path.is_file():
        if not out_dir.is_dir() or any(out_dir.iterdir()):
            raise FileExistsError(
                f'{out_dir} exists and is not a folder of this tool: choose '
                'another --out-dir.')
    elif out_dir.exists():
        found = json.loads(settings_path.read_text())
        if found != settings and not overwrite:
            raise FileExistsError(
                f'{out_dir} holds a set made with {found}, not with '
                f'{settings}: pass --overwrite or another --out-dir.')
        remove_set(out_dir, splits)
    out_dir.mkdir(parents=True, exist_ok=True)
    # Written ahead of the clips: the folder of an interrupted run is known as
    # a folder of this tool.
    settings_path.write_text(json.dumps(settings) + '\n')


def remove_set(out_dir: Path, splits: Sequence[str] = SPLITS) -> None:
    """Remove the files of an earlier run, and nothing else.

    Args:
        out_dir (Path): The output folder.
        splits (Sequence[str]): Folders of clips, and names of their lists.
            Defaults to training and validation.
    """
    lists = [f'{split}.txt' for split in splits]
    for name in (SETTINGS_FILE, *ANNOTATION_FILES, *lists):
        (out_dir / name).unlink(missing_ok=True)
    for split in splits:
        if (out_dir / split).is_dir():
            shutil.rmtree(out_dir / split)


def make_all(make: Callable[[Any], None], clips: Sequence[Any],
             num_workers: int) -> None:
    """Make clips, with a progress bar.

    Args:
        make (Callable): Makes a clip.
        clips (Sequence): Arguments of ``make``, a clip each.
        num_workers (int): Number of processes.
    """
    if num_workers > 1:
        track_parallel_progress(make, clips, num_workers)
    else:
        track_progress(make, clips)
