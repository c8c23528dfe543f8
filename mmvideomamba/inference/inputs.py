"""Inputs of inferencers: files, folders, arrays, cameras; checked by name."""
import os
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np

from mmvideomamba.datasets.preparation import EXTENSIONS
from .camera import read_camera
from .frame_folder import find_frames

Input = Union[str, np.ndarray, dict]

FORMATS = ('video', 'rawframes', 'array')
# Keys of a dict for the source of the frames.
SOURCES = ('array', 'frame_dir', 'filename', 'imgs')
_KINDS = ('the path of a video, a folder of videos or of frames, an array of '
          'frames (t, h, w, 3), the number of a camera, or a dict with '
          f'{", ".join(SOURCES)} or camera')


def check_format(input_format: str) -> str:
    """Check the format of inputs.

    Args:
        input_format (str): One of ``FORMATS``.

    Returns:
        str: The format.

    Raises:
        ValueError: If the format is unknown.
    """
    if input_format not in FORMATS:
        raise ValueError(f'input_format must be one of {list(FORMATS)}, but '
                         f'is {input_format!r}')
    return input_format


def list_inputs(inputs: Any, input_format: str = 'video') -> List[Input]:
    """Turn the input of a user into a list of single videos.

    A folder of videos becomes the videos by name, a camera the frames of the
    next seconds.

    Args:
        inputs (Any): A single input or a list of inputs: a path of a file or
            folder, an array (t, h, w, 3), a number of a camera, or a dict.
        input_format (str): 'video' looks at each input; 'rawframes' takes
            folders for frames, and 'array' allows arrays only. Defaults to
            'video'.

    Returns:
        list[str | np.ndarray | dict]: The videos.

    Raises:
        ValueError: If an input is of another kind, or a camera gives nothing.
    """
    check_format(input_format)
    several = isinstance(inputs, (list, tuple))
    found: List[Input] = []
    for item in inputs if several else [inputs]:
        found += _expand(item, input_format)
    if not found:
        raise ValueError('no input is given: the list is empty')
    return found


def _expand(item: Any, input_format: str) -> List[Input]:
    """Return the videos of an input."""
    if isinstance(item, os.PathLike):
        item = os.fspath(item)
    # True is an int of Python, and would mean camera 1.
    if isinstance(
            item,
            bool) or not isinstance(item,
                                    (str, int, np.integer, np.ndarray, dict)):
        raise ValueError(f'an input is of type {type(item).__name__}; give '
                         f'{_KINDS}')
    if input_format == 'array' and not isinstance(item, (np.ndarray, dict)):
        raise ValueError(f"input_format='array' takes arrays (t, h, w, 3), "
                         f"but an input is {item!r}; input_format='video' "
                         'takes all kinds')
    if isinstance(item, (int, np.integer)):
        return [read_camera(int(item))]
    if isinstance(item, dict) and 'camera' in item:
        return [read_camera(item['camera'], item.get('seconds', 3.))]
    if isinstance(item, dict):
        return [{
            key:
            os.fspath(value) if isinstance(value, os.PathLike) else value
            for key, value in item.items()
        }]
    if isinstance(item, str) and os.path.isdir(item):
        item = os.path.normpath(item)
    if isinstance(item, str) and input_format == 'video':
        # A folder without videos has frames, or is refused by name later.
        return _videos_of(item) or [item]
    return [item]


def _videos_of(folder: str) -> List[Input]:
    """List the videos of a folder by name, none of a path of another kind."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [
        os.path.join(folder, name) for name in names
        if os.path.splitext(name)[1].lower() in EXTENSIONS
    ]


def pack_input(item: Input,
               filename_tmpl: Optional[str] = None,
               start_index: Optional[int] = None,
               modality: str = 'RGB') -> dict:
    """Make the sample of a video, as a data set does.

    Args:
        item (str | np.ndarray | dict): From ``list_inputs``. A dict has the
            path or array under one of ``SOURCES``, may have ``fps``, and
            keeps all other keys.
        filename_tmpl (str, optional): Names of frames, such as
            'img_{:05}.jpg'. Defaults to None, found in the folder.
        start_index (int, optional): Number of the first frame. Defaults to
            None, the lowest found.
        modality (str): 'RGB', or 'Flow' for folders of optical flow. Defaults
            to 'RGB'.

    Returns:
        dict: With ``label`` -1, ``start_index``, ``modality`` and the keys of
        the source.

    Raises:
        MediaError: If the path does not exist, or a folder holds no frames.
        ValueError: If an array is not a video, or ``fps`` is not above 0.
    """
    if not isinstance(item, dict):
        source = _source_of(item)
        item = {source: item}
    sources = [key for key in SOURCES if key in item]
    if len(sources) != 1:
        raise ValueError(f'a dict needs one of the keys {", ".join(SOURCES)}, '
                         f'but has {", ".join(map(str, item)) or "none"}')
    kind, given = sources[0], dict(item)
    sample: Dict[str, Any] = dict(label=-1, start_index=0, modality='RGB')
    if kind == 'array':
        sample['total_frames'] = len(check_array(given['array']))
    elif kind == 'frame_dir':
        sample.update(
            find_frames(given['frame_dir'],
                        given.get('filename_tmpl', filename_tmpl),
                        given.get('start_index', start_index),
                        given.get('modality', modality)))
    elif kind == 'imgs':
        shape = _check_frames(given['imgs'])
        sample.update(
            num_clips=1,
            clip_len=len(given['imgs']),
            img_shape=shape,
            original_shape=shape)
    if 'fps' in given:
        sample['avg_fps'] = _check_fps(given.pop('fps'))
    return {**sample, **given}


def _check_frames(frames: Any) -> Tuple[int, int]:
    """Refuse frames that are none, and return their height and width."""
    if not len(frames):
        raise ValueError('imgs of a dict holds no frame')
    shapes = {np.shape(frame) for frame in frames}
    shape = shapes.pop()
    if shapes or len(shape) != 3 or shape[-1] != 3 or 0 in shape:
        raise ValueError('imgs of a dict must be frames (h, w, 3) of one '
                         f'size, but holds shapes {[shape, *shapes]}')
    return shape[0], shape[1]


def _check_fps(fps: Any) -> float:
    """Refuse a frame rate that is not a positive number."""
    number = isinstance(fps, (int, float, np.number))
    if not number or not 0 < fps < float('inf'):
        raise ValueError('fps of a dict must be a number of frames per second '
                         f'above 0, but is {fps!r}')
    return float(fps)


def _source_of(item: Union[str, np.ndarray]) -> str:
    """Name the key for a path or an array."""
    if isinstance(item, np.ndarray):
        return 'array'
    return 'frame_dir' if os.path.isdir(item) else 'filename'


def check_array(array: Any) -> np.ndarray:
    """Refuse an array that is not a video.

    Args:
        array (np.ndarray): Frames, (t, h, w, 3), uint8, RGB.

    Returns:
        np.ndarray: The same array.

    Raises:
        ValueError: If shape or dtype differ.
    """
    if not isinstance(array, np.ndarray):
        raise ValueError('the frames are of type '
                         f'{type(array).__name__}; give a numpy array '
                         '(t, h, w, 3), uint8, RGB')
    if array.ndim != 4 or array.shape[-1] != 3 or 0 in array.shape:
        raise ValueError(
            f'an array of shape {array.shape} is not a video; give (t, h, w, '
            '3): frames, height, width and the colours red, green, blue')
    if array.dtype != np.uint8:
        raise ValueError(
            f'an array of dtype {array.dtype} is not a video; give uint8 from '
            '0 to 255, not normalized: the pipeline of the config does that')
    return array


def input_name(item: Input) -> str:
    """Name an input in results and messages.

    Args:
        item (str | np.ndarray | dict): From ``list_inputs``.

    Returns:
        str: The path, or the shape of an array.
    """
    if isinstance(item, dict):
        item = next((item[key] for key in SOURCES if key in item), 'dict')
    if isinstance(item, np.ndarray):
        return f'array {item.shape}'
    return item if isinstance(item, str) else f'{len(item)} frames'
