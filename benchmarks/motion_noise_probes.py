"""Linear probes: what single frames and files of a set tell of the class."""
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np

from mmvideomamba.datasets.preparation.noise_set import (NoiseSettings,
                                                         clip_name)
from mmvideomamba.datasets.video import open_video

LAGS = 8  # cells of autocorrelation and lengths of runs
BANDS = 8  # of the power spectrum
AREAS = 4  # areas along a side, for means


def frame_statistics(frame: np.ndarray) -> Dict[str, np.ndarray]:
    """Measure a frame.

    Args:
        frame (np.ndarray): 0 and 255, shape (h, w), uint8.

    Returns:
        dict[str, np.ndarray]: Vectors by name.
    """
    signs = np.where(frame > 0, 1., -1.)
    side = len(signs) // AREAS
    areas = signs[:side * AREAS, :side * AREAS].reshape(
        AREAS, side, AREAS, side)
    lags = [(signs[k:] * signs[:-k]).mean() for k in range(1, LAGS + 1)]
    lags += [(signs[:, k:] * signs[:, :-k]).mean() for k in range(1, LAGS + 1)]
    return dict(
        means=areas.mean((1, 3)).reshape(-1),
        autocorrelations=np.array(lags),
        runs=np.concatenate([run_lengths(signs),
                             run_lengths(signs.T)]),
        spectrum=spectrum(signs))


def run_lengths(signs: np.ndarray) -> np.ndarray:
    """Return the shares of runs of equal cells in rows, by length.

    Args:
        signs (np.ndarray): Shape (h, w).

    Returns:
        np.ndarray: Shape (LAGS, ), the last for all longer runs.
    """
    ends = np.ones(signs.shape, bool)
    ends[:, :-1] = signs[:, 1:] != signs[:, :-1]
    places = np.flatnonzero(ends)
    lengths = np.minimum(np.diff(places, prepend=-1), LAGS)
    counts = np.bincount(lengths, minlength=LAGS + 1)[1:]
    return counts / counts.sum()


def spectrum(signs: np.ndarray) -> np.ndarray:
    """Return the power of rings and of sectors of frequencies.

    Args:
        signs (np.ndarray): Shape (h, w).

    Returns:
        np.ndarray: Shape (2 * BANDS, ).
    """
    power = np.abs(np.fft.fft2(signs))**2 / signs.size
    rows, columns = (np.fft.fftfreq(n) for n in signs.shape)
    y, x = np.meshgrid(rows, columns, indexing='ij')
    rings = np.minimum(np.hypot(x, y) * 2 * BANDS, BANDS - 1).astype(int)
    sectors = ((np.arctan2(y, x) % np.pi) / np.pi * BANDS).astype(int)
    sectors = np.minimum(sectors, BANDS - 1)
    return np.concatenate([
        np.bincount(bands.ravel(), power.ravel(), BANDS) /
        np.bincount(bands.ravel(), minlength=BANDS)
        for bands in (rings, sectors)
    ])


def measure_set(folder: Path, settings: NoiseSettings, split: str,
                count: int) -> Tuple[Dict[str, np.ndarray], np.ndarray]:
    """Measure a frame of each clip, and the size of the file.

    Args:
        folder (Path): Of the set.
        settings (NoiseSettings): Of the set.
        split (str): Of the clips.
        count (int): Number of clips.

    Returns:
        tuple[dict[str, np.ndarray], np.ndarray]: Features by name, (clips,
        n), and labels.
    """
    found: Dict[str, List[np.ndarray]] = {}
    for index in range(count):
        path = folder / clip_name(settings, split, index)
        with open_video(path) as video:
            # The last frame has all steps of the motion behind it.
            frame = video.get_frames([len(video) - 1])[0, ..., 0]
        rows = frame_statistics(frame)
        rows['all of a frame'] = np.concatenate(list(rows.values()))
        rows['size of the file'] = np.array([path.stat().st_size], float)
        for name, row in rows.items():
            found.setdefault(name, []).append(row)
    labels = np.arange(count) % len(settings.names)
    return {k: np.stack(v) for k, v in found.items()}, labels


def probe(folder: Path, settings: NoiseSettings,
          most: int) -> Dict[str, List[int]]:
    """Fit a logistic regression to each kind of statistics.

    Args:
        folder (Path): Of the set.
        settings (NoiseSettings): Of the set.
        most (int): Clips of training and of the test, at most.

    Returns:
        dict[str, list[int]]: Right clips of the test and all, by statistics.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    parts = [
        measure_set(folder, settings, split, min(most, settings.counts[split]))
        for split in ('train', 'test')
    ]
    (train, labels), (test, truth) = parts
    found = {}
    for name in train:
        model = make_pipeline(StandardScaler(),
                              LogisticRegression(max_iter=2000))
        guess = model.fit(train[name], labels).predict(test[name])
        found[name] = [int((guess == truth).sum()), len(truth)]
    return found
