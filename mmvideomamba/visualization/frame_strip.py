"""Strip of the frames of a clip under label and prediction."""
import numpy as np

from .text import write_line

HEADER = 20  # pixels above the frames, per line
RIGHT, WRONG = (0, 200, 0), (230, 60, 60)  # colours, RGB


def draw_frame_strip(frames: np.ndarray, label: str, prediction: str,
                     score: float, correct: bool) -> np.ndarray:
    """Draw the frames of a clip side by side, under two lines of text.

    Args:
        frames (np.ndarray): RGB, shape (t, h, w, 3), uint8.
        label (str): Name of the true class.
        prediction (str): Name of the predicted class.
        score (float): Score of the predicted class.
        correct (bool): Whether to write the prediction in green, not in red.

    Returns:
        np.ndarray: RGB, shape (40 + h, t * w, 3), uint8.
    """
    strip = np.concatenate(list(frames), axis=1)
    header = np.zeros((2 * HEADER, strip.shape[1], 3), np.uint8)
    write_line(header, f'label {label}', (4, HEADER - 6))
    write_line(header, f'prediction {prediction} {score:.2f}',
               (4, 2 * HEADER - 6), RIGHT if correct else WRONG)
    return np.concatenate([header, strip])
