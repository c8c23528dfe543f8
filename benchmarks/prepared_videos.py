"""Price and gain of training copies: size, loss, and time, by settings.

    python benchmarks/prepared_videos.py --videos REAL.mp4 --out results.md

Each setting of ``tools/data/prepare_videos.py`` differs from the default in a
single option. The originals: the sliding noise of
``made_videos.py``; a camera moving over photographs of scikit-image, with
noise; real videos by ``--videos``. Loss is told for the luma of frames
spread over the video, against the frames of the original at the size of the
copy. Seconds are of the processor, on one core: to copy a video with the
check of the copy, and to open it and decode eight frames spread over the
video, as trainings do.
"""
import argparse
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence

import av
import cv2
import numpy as np
from cpu_models import cpu_name
from made_videos import KINETICS, encode, moving_picture
from skimage import data
from skimage.metrics import structural_similarity
from wrapped_page import wrapped

from mmvideomamba.datasets.preparation.copied_picture import PictureMaker
from mmvideomamba.datasets.preparation.video_copy import (CopySettings,
                                                          copy_video)
from mmvideomamba.datasets.video import open_video
from mmvideomamba.datasets.video.pyav_reader import PyAVReader

LOOKED_AT = 20  # frames of a video whose loss is told
CLIP, CLIPS, ROUNDS = 8, 5, 3  # frames; places in a video; repetitions
NOTES = (
    'PSNR and SSIM: luma of 20 frames against those of the original, at the '
    'size of the copy. Copying: processor time, the check of the copy '
    'included. Decoding: processor time to open the file and decode 8 frames '
    "spread over it, reader 'pyav'.")
PHOTOGRAPHS = ('astronaut', 'coffee', 'chelsea')


class Figures(NamedTuple):
    """Figures of a video.

    Args:
        size (float): Bytes, as a share of the original's.
        psnr (float): In dB.
        ssim (float): From 0 to 1.
        copying (float): Seconds.
        decoding (float): Milliseconds.
    """
    size: float
    psnr: float
    ssim: float
    copying: float
    decoding: float


def settings_of() -> Dict[str, CopySettings]:
    """Name the settings to compare."""
    base = CopySettings()
    found = {'default': base}
    for key in (6, 24, 250):
        found[f'--key-frames {key}'] = base._replace(key_frames=key)
    for side in (224, 0):
        found[f'--short-side {side or "keep"}'] = base._replace(
            short_side=side)
    for crf in (17., 20., 26.):
        found[f'--crf {crf:g}'] = base._replace(crf=crf)
    for preset in ('veryfast', 'medium', 'slow'):
        found[f'--preset {preset}'] = base._replace(preset=preset)
    found['--no-fast-decode'] = base._replace(fast_decode=False)
    return found


def camera(name: str) -> Iterator[np.ndarray]:
    """Yield frames of a camera that moves over a photograph, with noise."""
    rng = np.random.default_rng(len(name))
    photograph = np.ascontiguousarray(getattr(data, name)())
    height, width = photograph.shape[:2]
    phase = rng.uniform(0, 2 * np.pi, 3)
    size = KINETICS.width, KINETICS.height
    for t in range(KINETICS.frames):
        turn = 2 * np.pi * t / KINETICS.frames
        x, y, zoom = np.sin(turn * np.array([1, 2, 3]) + phase)
        scale = (.75 + .15 * zoom) * min(width / size[0], height / size[1])
        left = (width - scale * size[0]) * (1 + x) / 2
        top = (height - scale * size[1]) * (1 + y) / 2
        frame = cv2.warpAffine(
            photograph,
            np.array([[scale, 0, left], [0, scale, top]]),
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        noisy = frame + rng.normal(0, 3, frame.shape)
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def made_groups(folder: Path) -> Dict[str, List[Path]]:
    """Make the originals.

    Args:
        folder (Path): Where to write.

    Returns:
        dict[str, list[Path]]: Title to clips like those of Kinetics-400.
    """
    photographs = [folder / f'{name}.mp4' for name in PHOTOGRAPHS]
    for path in photographs:
        encode(path, KINETICS, camera(path.stem))
    noise = [folder / f'noise{seed}.mp4' for seed in range(2)]
    for seed, path in enumerate(noise):
        encode(path, KINETICS, moving_picture(KINETICS, seed))
    return {
        'Photographs, a moving camera': photographs,
        'Sliding noise': noise
    }


def luma(path: Path, short_side: int, numbers: Sequence[int]) -> np.ndarray:
    """Return the luma of some frames at the size of a copy, (n, h, w)."""
    wanted, found = set(numbers), []
    maker = PictureMaker(str(path), short_side)
    with open_video(path, 'pyav') as video:
        assert isinstance(video, PyAVReader)
        for number, frame in enumerate(video.walk()):
            if number in wanted:
                made = maker.make(frame, number)
                found.append(made.to_ndarray()[:made.height].copy())
    return np.stack(found)


def decoding_time(path: Path) -> float:
    """Return the milliseconds to open a video and decode a clip."""
    times: List[List[float]] = [[] for _ in range(CLIPS)]
    for turn in range(CLIPS * ROUNDS):
        rng = np.random.default_rng(turn % CLIPS)
        start = time.process_time()
        with open_video(path, 'pyav') as video:
            part = len(video) / CLIP
            places = part * (np.arange(CLIP) + rng.uniform(size=CLIP))
            video.get_frames(places.astype(int).tolist())
        times[turn % CLIPS].append(time.process_time() - start)
    # Other work on the machine only adds.
    return 1e3 * float(np.mean([min(found) for found in times]))


def measure(source: Path, target: Path, settings: CopySettings) -> Figures:
    """Copy a video, and compare the copy with the original."""
    start = time.process_time()
    made = copy_video(str(source), target, settings)
    copying = time.process_time() - start
    numbers = np.linspace(0, made.frames - 1, LOOKED_AT).astype(int).tolist()
    before = luma(source, settings.short_side, numbers)
    after = luma(target, 0, numbers)
    errors = ((before.astype(float) - after)**2).mean((1, 2))
    ssim = [
        structural_similarity(
            one,
            other,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255) for one, other in zip(before, after)
    ]
    return Figures(
        made.size / source.stat().st_size,
        float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-9)))),
        float(np.mean(ssim)), copying, decoding_time(target))


def table(title: str, videos: Sequence[Path], folder: Path) -> List[str]:
    """Measure all settings on a group of videos."""
    for video in videos:  # a warm-up
        decoding_time(video)
    before = np.mean([decoding_time(video) for video in videos])
    lines = [
        f'## {title}', '',
        '| settings | size, % of the originals | PSNR, dB | SSIM | copying, '
        's a video | decoding, ms |', '|---|---|---|---|---|---|',
        f'| originals | 100 | | | | {before:.1f} |'
    ]
    for name, settings in settings_of().items():
        if not settings.short_side and all(map(is_small, videos)):
            continue  # the same as the default
        rows = [measure(v, folder / 'copy.mp4', settings) for v in videos]
        mean = Figures(*np.mean(rows, 0))
        lines.append(f'| {name} | {100 * mean.size:.0f} | {mean.psnr:.1f} | '
                     f'{mean.ssim:.4f} | {mean.copying:.1f} | '
                     f'{mean.decoding:.1f} |')
        print(lines[-1], flush=True)
    return [*lines, '']


def is_small(path: Path) -> bool:
    """Tell whether a video keeps the size by default."""
    with open_video(path) as video:
        return min(video.size) <= CopySettings().short_side


def describe(path: Path) -> str:
    """Describe a video in a few words."""
    with open_video(path) as video:
        return (f'{path.name} ({len(video)} frames of {video.width} x '
                f'{video.height}, {path.stat().st_size / 1e3:.0f} kB)')


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--videos', type=Path, nargs='*', default=[])
    parser.add_argument('--out', type=Path, required=True)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        groups = made_groups(folder)
        for video in args.videos:
            groups[f'Real: {video.name}'] = [video]
        names = ' '.join(video.name for video in args.videos)
        lines = [
            '# Training copies of videos: size, loss and time', '',
            '    python benchmarks/prepared_videos.py --out results.md' +
            (f' --videos {names}' if names else ''), '',
            f'{cpu_name()}, one core, shared with other work; Python '
            f'{platform.python_version()}, PyAV {av.__version__}, '
            f'scikit-image {version("scikit-image")}.', '', NOTES, '',
            f'Default: {CopySettings()}; each other row differs in the '
            'option named.', ''
        ]
        for title, videos in groups.items():
            lines += table(title, videos, folder)
            lines += ['; '.join(map(describe, videos)), '']
    args.out.write_text(wrapped('\n'.join(lines)))


if __name__ == '__main__':
    main()
