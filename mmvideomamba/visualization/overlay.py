"""Relevance of pixels, laid over frames as colours."""
import cv2
import numpy as np

ALPHA = 0.6  # share of the colour at the most relevant pixel


def check_relevance(relevance: np.ndarray, t: int) -> np.ndarray:
    """Check a relevance, and scale to a map in [0, 1] for each frame.

    Args:
        relevance (np.ndarray): Shape (t', h', w'), where t' divides t: a map
            of a tubelet goes to each frame of the tubelet. Non-negative, any
            scale.
        t (int): Number of frames.

    Returns:
        np.ndarray: Shape (t, h', w'), float32; 1 at the most relevant place
        of the clip, 0 everywhere for a relevance of zeros.

    Raises:
        ValueError: If the shape does not fit, or a value is negative or not
            finite.
    """
    relevance = np.asarray(relevance, np.float32)
    if relevance.ndim != 3 or not relevance.size or t % len(relevance):
        raise ValueError(f'relevance of {t} frames must have the shape '
                         '(t, h, w), where t divides the number of frames, '
                         f'but has {relevance.shape}')
    if not np.isfinite(relevance).all() or relevance.min() < 0:
        raise ValueError('relevance must be finite and non-negative, but '
                         f'runs from {relevance.min()} to {relevance.max()}')
    top = float(relevance.max())
    # A sum of tiny numbers may be below the normal numbers of float32.
    scaled = relevance / top if top > 0 else relevance
    return np.repeat(scaled, t // len(relevance), axis=0)


def overlay(frames: np.ndarray,
            relevance: np.ndarray,
            alpha: float = ALPHA) -> np.ndarray:
    """Lay the relevance of a clip over the frames.

    The frames turn grey, and a pixel takes the share ``alpha`` times relevance
    of the colour, from blue (little) to yellow (most of the clip). Places
    without relevance stay grey.

    Args:
        frames (np.ndarray): RGB, shape (t, h, w, 3), uint8.
        relevance (np.ndarray): Shape (t', h', w'), see ``check_relevance``;
            resized to the frames.
        alpha (float): In [0, 1]. Defaults to 0.6.

    Returns:
        np.ndarray: RGB, shape (t, h, w, 3), uint8.

    Raises:
        ValueError: If ``alpha`` is outside [0, 1] or the relevance does not
            fit.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f'alpha must lie in [0, 1], but is {alpha}')
    maps = check_relevance(relevance, len(frames))
    drawn = []
    for frame, values in zip(frames, maps):
        size = frame.shape[1::-1]
        values = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
        levels = (values * 255).round().astype(np.uint8)
        colours = cv2.applyColorMap(levels, cv2.COLORMAP_PLASMA)[..., ::-1]
        share = alpha * values[..., None]
        # On frames in colour, yellow of the frame reads as relevance.
        grey = frame.mean(-1, keepdims=True)
        mixed = (1 - share) * grey + share * colours
        drawn.append(mixed.round().astype(np.uint8))
    return np.stack(drawn)
