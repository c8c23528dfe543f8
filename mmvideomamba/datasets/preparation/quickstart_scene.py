"""Scenes of the quickstart's clips, and the order of the frames.

``tools/data/quickstart/make_quickstart_videos.py`` makes the clips.
"""
import functools
import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Dict, Sequence, Tuple

import cv2
import numpy as np

from mmvideomamba.extras import missing_extra

DIRECTIONS = dict(clockwise=1, counterclockwise=-1)
STARTS = ('top', 'right', 'bottom', 'left')  # in quarter turns from the top
CLASSES = tuple(f'{d}_from_{s}' for d in DIRECTIONS for s in STARTS)
START_SPREAD = 1 / 16  # of a turn, to either side of the exact start

# No photograph is in both splits.
PICTURES: Dict[str, Dict[str, Sequence[str]]] = dict(
    train=dict(
        objects=('astronaut.png', 'coins.png', 'ihc.png',
                 'motorcycle_left.png', 'rocket.jpg'),
        backgrounds=('brick.png', 'camera.png', 'cell.png', 'grass.png',
                     'hubble_deep_field.jpg', 'moon.png')),
    val=dict(
        objects=('chelsea.png', 'coffee.png', 'retina.jpg'),
        backgrounds=('gravel.png', 'microaneurysms.png', 'text.png')))
LONGEST_SIDE = 512  # pixels, larger photographs are reduced to this

# Mean of the pixels; the object is lit, the background lies in the dark.
OBJECT_BRIGHTNESS = (130, 190)
BACKGROUND_BRIGHTNESS = (30, 80)

FRAME_SIZES = ((112, 96), (128, 96), (160, 128), (176, 144))  # width, height
NUM_FRAMES = (24, 72)


@dataclass
class Scene:
    """The frames of a clip in the order of their place on the circle.

    Attributes:
        places (np.ndarray): Angle of each frame, shape (t, ), in turns
            clockwise from the top, ascending from 0 to 1.
        cutout (np.ndarray): The object, colours multiplied by opacity, shape
            (h, w, 4), float32, colours BGR in [0, 255], opacity in [0, 1].
        background (np.ndarray): BGR, shape (h, w, 3), uint8, larger than a
            frame by at least ``drift`` on each side.
        size (tuple[int, int]): Width and height of a frame in pixels.
        centre (tuple[float, float]): Centre of the circle in pixels.
        radius (float): Radius of the circle in pixels.
        drift (float): Largest shift of the background in pixels.
        drift_phase (float): Angle of the shift at place 0, in turns.
        drift_turns (int): Turns the shift makes around the circle, -1 or 1.
    """
    places: np.ndarray
    cutout: np.ndarray
    background: np.ndarray
    size: Tuple[int, int]
    centre: Tuple[float, float]
    radius: float
    drift: float
    drift_phase: float
    drift_turns: int


@functools.lru_cache(maxsize=None)
def load_picture(name: str) -> np.ndarray:
    """Read a photograph of the installed scikit-image.

    Args:
        name (str): File name in ``skimage/data``.

    Returns:
        np.ndarray: BGR, shape (h, w, 3), uint8.

    Raises:
        FileNotFoundError: If the photograph is missing.
        MissingExtraError: If scikit-image is not installed.
    """
    spec = find_spec('skimage')
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra('quickstart', 'the set of videos', 'skimage')
    path = Path(spec.submodule_search_locations[0], 'data', name)
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(
            f'This scikit-image does not ship a readable {name!r} ({path}): '
            'install scikit-image 0.25 or 0.26.')
    scale = LONGEST_SIDE / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(
            picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return picture


def random_crop(rng: np.random.Generator, picture: np.ndarray,
                size: Tuple[int, int], share: Tuple[float,
                                                    float]) -> np.ndarray:
    """Cut a rectangle out of a photograph and bring it to a size.

    Args:
        rng (np.random.Generator): Source of the cut.
        picture (np.ndarray): Shape (h, w, 3), uint8.
        size (tuple[int, int]): Width and height of the result in pixels.
        share (tuple[float, float]): Range of the share of the photograph
            taken by the cut, on the limiting side.

    Returns:
        np.ndarray: Shape (size[1], size[0], 3), float32.
    """
    height, width = picture.shape[:2]
    scale = rng.uniform(*share) * min(width / size[0], height / size[1])
    crop_w, crop_h = int(size[0] * scale), int(size[1] * scale)
    x = rng.integers(0, width - crop_w + 1)
    y = rng.integers(0, height - crop_h + 1)
    crop = picture[y:y + crop_h, x:x + crop_w]
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    return cv2.resize(crop, size, interpolation=method).astype(np.float32)


def relight(rng: np.random.Generator, picture: np.ndarray,
            brightness: Tuple[float, float],
            contrast: Tuple[float, float]) -> np.ndarray:
    """Give a picture another brightness, contrast and colour balance.

    Args:
        rng (np.random.Generator): Source of the light.
        picture (np.ndarray): Shape (h, w, 3), float32 in [0, 255].
        brightness (tuple[float, float]): Range of the mean of the result.
        contrast (tuple[float, float]): Range of the factor on the distances
            from the mean.

    Returns:
        np.ndarray: Shape (h, w, 3), float32 in [0, 255].
    """
    balance = rng.uniform(0.8, 1.2, 3).astype(np.float32)
    shifted = (picture - picture.mean()) * rng.uniform(*contrast)
    return np.clip((shifted + rng.uniform(*brightness)) * balance, 0, 255)


def make_cutout(rng: np.random.Generator, name: str,
                frame_height: int) -> np.ndarray:
    """Cut an ellipse with a soft border out of a photograph.

    Args:
        rng (np.random.Generator): Source of place, size and shape.
        name (str): The photograph.
        frame_height (int): Height of the frames in pixels.

    Returns:
        np.ndarray: As ``Scene.cutout``.
    """
    diameter = rng.uniform(0.28, 0.38) * frame_height
    stretch = math.sqrt(rng.uniform(0.8, 1.25))
    axes = np.array([diameter * stretch, diameter / stretch])
    width, height = (int(a) for a in np.ceil(axes) + 4)
    colours = random_crop(rng, load_picture(name), (width, height), (0.3, 0.7))
    colours = relight(rng, colours, OBJECT_BRIGHTNESS, (0.8, 1.2))
    x = (np.arange(width) - (width - 1) / 2) / (axes[0] / 2)
    y = (np.arange(height) - (height - 1) / 2) / (axes[1] / 2)
    to_border = 1 - np.hypot(x[None, :], y[:, None])  # 0 on the border
    opacity = np.clip(to_border * diameter / 4, 0, 1)[..., None]  # 2 px soft
    return np.concatenate([colours * opacity, opacity], 2).astype(np.float32)


def make_background(rng: np.random.Generator, name: str,
                    size: Tuple[int, int]) -> np.ndarray:
    """Cut a background out of a photograph, a little out of focus.

    Args:
        rng (np.random.Generator): Source of place, focus and light.
        name (str): The photograph.
        size (tuple[int, int]): Width and height in pixels.

    Returns:
        np.ndarray: Shape (size[1], size[0], 3), uint8.
    """
    picture = random_crop(rng, load_picture(name), size, (0.5, 1))
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 1.6))
    picture = relight(rng, picture, BACKGROUND_BRIGHTNESS, (0.4, 0.8))
    return picture.astype(np.uint8)


def draw_places(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Draw the places of an object that circles at a changing speed.

    The speed depends on the place, not on the time since the start, so that
    the places tell nothing about the start.

    Args:
        rng (np.random.Generator): Source of the places.
        num_frames (int): Number of frames.

    Returns:
        np.ndarray: Angles in turns, shape (num_frames, ), ascending.
    """
    steps = (np.arange(num_frames) + rng.uniform()) / num_frames
    change, fastest = rng.uniform(0, 0.3), rng.uniform()
    waves = np.sin(2 * np.pi * (steps - fastest)) / (2 * np.pi)
    return np.sort((steps + change * waves) % 1)


def draw_scene(rng: np.random.Generator, split: str) -> Scene:
    """Draw everything of a clip but the order of its frames.

    Args:
        rng (np.random.Generator): Source of the scene.
        split (str): ``train`` or ``val``.

    Returns:
        Scene: The frames to come.
    """
    width, height = FRAME_SIZES[rng.integers(len(FRAME_SIZES))]
    num_frames = int(rng.integers(NUM_FRAMES[0], NUM_FRAMES[1] + 1))
    object_name = str(rng.choice(PICTURES[split]['objects']))
    background_name = str(rng.choice(PICTURES[split]['backgrounds']))
    drift = rng.uniform(0, 0.04) * height
    # Room for the drift to both sides.
    margin = 2 * math.ceil(drift)
    return Scene(
        places=draw_places(rng, num_frames),
        cutout=make_cutout(rng, object_name, height),
        background=make_background(rng, background_name,
                                   (width + margin, height + margin)),
        size=(width, height),
        centre=(width * rng.uniform(0.45, 0.55),
                height * rng.uniform(0.46, 0.54)),
        radius=height * rng.uniform(0.24, 0.3),
        drift=drift,
        drift_phase=rng.uniform(),
        drift_turns=int(rng.choice((-1, 1))))


def draw_order(rng: np.random.Generator, places: np.ndarray,
               label: int) -> np.ndarray:
    """Choose the order of the frames, the only thing that a class decides.

    Args:
        rng (np.random.Generator): Source of the exact start.
        places (np.ndarray): As ``Scene.places``, shape (t, ).
        label (int): Index into ``CLASSES``.

    Returns:
        np.ndarray: A permutation of the frames, shape (t, ).
    """
    direction, start = CLASSES[label].split('_from_')
    offset = places - STARTS.index(start) / len(STARTS)
    distance = np.abs((offset + 0.5) % 1 - 0.5)
    first = rng.choice(np.flatnonzero(distance <= START_SPREAD))
    steps = np.arange(len(places)) * DIRECTIONS[direction]
    return (first + steps) % len(places)


def shift_image(image: np.ndarray, x: float, y: float,
                size: Tuple[int, int]) -> np.ndarray:
    """Lay an image on an empty canvas, by fractions of a pixel.

    Args:
        image (np.ndarray): Shape (h, w, c), uint8 or float32.
        x (float): Distance of its left from the canvas's, in pixels.
        y (float): Distance of its top from the canvas's, in pixels.
        size (tuple[int, int]): Width and height of the canvas in pixels.

    Returns:
        np.ndarray: Shape (size[1], size[0], c), dtype of ``image``.
    """
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)


def lay_over(frame: np.ndarray, cutout: np.ndarray, x: float,
             y: float) -> None:
    """Lay a cut-out over a frame, in place; what sticks out is cut off.

    Args:
        frame (np.ndarray): Shape (h, w, 3), uint8.
        cutout (np.ndarray): As ``Scene.cutout``.
        x (float): Distance of its left from the frame's, in pixels.
        y (float): Distance of its top from the frame's, in pixels.
    """
    height, width = cutout.shape[:2]
    left, top = math.floor(x), math.floor(y)
    # A pixel more on each axis: a shift by a fraction reaches into the next
    # pixel.
    layer = shift_image(cutout, x - left, y - top, (width + 1, height + 1))
    layer = layer[max(0, -top):, max(0, -left):]
    part = frame[max(0, top):top + height + 1, max(0, left):left + width + 1]
    layer = layer[:part.shape[0], :part.shape[1]]
    mixed = part * (1 - layer[..., 3:]) + layer[..., :3]
    # The cast to uint8 cuts fractions off: 0.5 makes the cut a rounding.
    part[:] = np.clip(mixed + 0.5, 0, 255)


def render_frame(scene: Scene, place: float) -> np.ndarray:
    """Render the frame of one place.

    Args:
        scene (Scene): The scene.
        place (float): Angle of the object in turns clockwise from the top.

    Returns:
        np.ndarray: BGR, shape (h, w, 3), uint8.
    """
    margin = (scene.background.shape[0] - scene.size[1]) / 2
    angle = 2 * np.pi * (scene.drift_turns * place + scene.drift_phase)
    frame = shift_image(scene.background,
                        scene.drift * math.cos(angle) - margin,
                        scene.drift * math.sin(angle) - margin, scene.size)
    height, width = scene.cutout.shape[:2]
    turn = 2 * np.pi * place
    lay_over(frame, scene.cutout,
             scene.centre[0] + scene.radius * math.sin(turn) - width / 2,
             scene.centre[1] - scene.radius * math.cos(turn) - height / 2)
    return frame
