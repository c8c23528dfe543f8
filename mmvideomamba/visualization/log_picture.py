"""Places where a drawn picture goes."""
from pathlib import Path
from typing import Optional, Union

import mmcv
import numpy as np
from mmengine.visualization import Visualizer


def save_picture(picture: np.ndarray, path: Union[str, Path]) -> None:
    """Write a picture to a file; missing folders are made.

    Args:
        picture (np.ndarray): RGB, shape (h, w, 3), uint8.
        path (str | Path): The file; the extension names the format.
    """
    mmcv.imwrite(picture[..., ::-1], str(path))


def log_picture(visualizer: Visualizer,
                name: str,
                picture: np.ndarray,
                step: int,
                out_dir: Optional[str] = None) -> None:
    """Hand a picture to the backends of a visualizer, or save a .png file.

    Args:
        visualizer (Visualizer): Of the run.
        name (str): Name of the picture, the same at each step.
        picture (np.ndarray): RGB, shape (h, w, 3), uint8.
        step (int): Epoch or iteration.
        out_dir (str, optional): Folder for ``{name}_{step}.png`` instead of
            the backends. Defaults to None.
    """
    if out_dir is None:
        visualizer.add_image(name, picture, step)
    else:
        save_picture(picture, Path(out_dir, f'{name}_{step}.png'))
