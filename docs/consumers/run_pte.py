"""Label a video or an image with an exported .pte file.

    python run_pte.py MODEL.pte VIDEO_OR_IMAGE [--top 5] [--json]

Needs executorch, torch, numpy, av and opencv-python, and no other file: copy
the script to where the model is used. All but ``load`` is the same in the
scripts of the other formats.
"""
import argparse
import json
import os
import sys
from typing import Any, Callable, Dict, Iterator, List, Tuple

import av
import cv2
import numpy as np
import torch
from executorch.runtime import Runtime

KEY = 'mmvideomamba'  # of the description in the file's metadata
# Text formats: the library would draw the text, or open the files in it.
TEXTS = {'tty', 'concat', 'hls', 'dash', 'imf', 'sdp', 'webm_dash_manifest'}
# From an array to the outputs, in order.
Model = Callable[[np.ndarray], List[np.ndarray]]


class Refused(Exception):
    """An input without a label; the message is a single line."""


def load(path: str) -> Tuple[Model, Dict[str, Any]]:
    """Open a file.

    Args:
        path (str): The .pte file.

    Returns:
        tuple[Callable, dict]: The model as a function, and the description.

    Raises:
        Refused: If the file cannot be used.
    """
    try:
        program = Runtime.get().load_program(path)
        method = program.load_method('forward')
        text = ''
        if KEY in program.method_names:  # a method with a constant result
            text = program.load_method(KEY).execute([])[0]
    except Exception as error:  # a RuntimeError with a number
        raise Refused(f'{path} cannot be opened: {first_line(error)}')

    def run(array: np.ndarray) -> List[np.ndarray]:
        return [x.numpy() for x in method.execute([torch.from_numpy(array)])]

    return run, read_description(path, text)


def first_line(error: BaseException) -> str:
    """Return the first line of a message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def read_description(path: str, text: Any) -> Dict[str, Any]:
    """Read the description of a model.

    Args:
        path (str): The file, for the error.
        text (str, optional): JSON of the metadata.

    Returns:
        dict: The description.

    Raises:
        Refused: If there is none, or no rule for reading a video.
    """
    if not text:
        raise Refused(f'{path} has no metadata {KEY!r}: export the model with '
                      'tools/deployment/export.py')
    found = json.loads(text)
    rule = found.get('sampling') or dict(kind='unknown', reason='not known')
    if rule['kind'] == 'unknown':
        raise Refused(f'{path} has no rule for reading a video '
                      f'({rule["reason"]}): make the input array by other '
                      'means')
    return found


def open_video(path: str) -> Iterator[Any]:
    """Decode the frames of a video, in the order of presentation.

    Args:
        path (str): The file.

    Yields:
        av.VideoFrame: Each frame.

    Raises:
        Refused: If a frame is damaged.
    """
    with av.open('file:' + os.path.abspath(path)) as container:
        if container.format.name in TEXTS:
            raise Refused(f'{path} is a text file, not a video')
        stream: Any = container.streams.best('video')
        if stream is None:
            raise Refused(f'{path} has no video stream')
        # Without the flag pixels cropped at the left by the file may stay.
        stream.codec_context.flags |= av.codec.context.Flags.unaligned
        stream.thread_type = 'AUTO'
        frame: Any
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise Refused(f'{path} is damaged')
            yield frame


def frame_rate(path: str) -> float:
    """Return the average number of frames a second."""
    with av.open('file:' + os.path.abspath(path)) as container:
        stream: Any = container.streams.best('video')
        return float(stream.average_rate or stream.guessed_rate or 25)


def to_array(frame: Any) -> np.ndarray:
    """Turn a decoded frame into an array, (h, w, 3), the right way up."""
    picture = frame.to_ndarray(format='rgb24', interpolation='BICUBIC')
    matrix = frame.side_data.get('DISPLAYMATRIX')
    if matrix is None:
        return picture
    # The first two rows tell where a step right and a step down lead.
    (a, b), (c, d) = np.frombuffer(matrix,
                                   np.int32).reshape(3, 3)[:2, :2].tolist()
    small, large = sorted([max(abs(a), abs(d)), max(abs(b), abs(c))])
    if small * 114 > large:  # half a degree
        raise Refused('the video asks to be turned, by no quarter')
    if abs(a) < abs(b):
        picture, a, d = picture.swapaxes(0, 1), c, b
    return np.ascontiguousarray(
        picture[::-1 if d < 0 else 1, ::-1 if a < 0 else 1])


def choose_frames(rule: Dict[str, Any], total: int, rate: float) -> np.ndarray:
    """Choose the frames of a video.

    Args:
        rule (dict): ``sampling`` of the description.
        total (int): Frames of the video.
        rate (float): Frames a second.

    Returns:
        np.ndarray: Numbers of the frames, (clips, frames), int64.

    Raises:
        Refused: If the kind of rule is not known.
    """
    kind, length, clips = rule['kind'], rule['frames'], rule['clips']
    if kind == 'uniform':
        return uniform_frames(total, length, clips)
    if kind == 'segments':
        size = total / length
        starts = [size / 2] if clips == 1 else [
            size * clip / clips for clip in range(clips)
        ]
        steps = size * np.arange(length)
        return np.stack([start + steps for start in starts]).astype(np.int64)
    if kind == 'intervals':
        if rule['max_seconds'] is not None:
            total = min(total, max(1, int(rule['max_seconds'] * rate)))
        count = min(length, total)
        borders = np.linspace(0, total, count + 1).astype(np.int64)
        middles = (borders[:-1] + borders[1:] - 1) // 2
        return np.pad(middles, (0, length - count), mode='edge')[None]
    if kind == 'consecutive':
        return consecutive_frames(rule, total)
    if kind == 'windows':
        return window_frames(rule, total, rate)
    raise Refused(f'the rule of sampling {kind!r} is not known')


def uniform_frames(total: int, length: int, clips: int) -> np.ndarray:
    """Spread clips over a video, (clips, length)."""
    size = (total - 1) / length
    starts = np.round(size * np.arange(length)).astype(np.int64)
    shift = size / (clips + 1)
    return np.stack([starts + int(shift * (k + 1)) for k in range(clips)])


def consecutive_frames(rule: Dict[str, Any], total: int) -> np.ndarray:
    """Take frames at a fixed distance, (clips, frames)."""
    length, clips, step = rule['frames'], rule['clips'], rule['frame_interval']
    room = max(total - (length - 1) * step - 1, 0)
    starts = np.array([room // 2]) if clips == 1 else np.round(
        np.arange(clips) * (room / (clips - 1)))
    chosen = starts.astype(np.int64)[:, None] + step * np.arange(length)
    if rule['out_of_bound_opt'] == 'loop':
        return chosen % total
    last = np.where(chosen < total, chosen, 0).max(axis=1, keepdims=True)
    return np.where(chosen < total, chosen, last)


def window_frames(rule: Dict[str, Any], total: int, rate: float) -> np.ndarray:
    """Spread clips over each window of a long video, (all clips, frames)."""
    duration, window = total / rate, rule['window']
    windows = [(0., duration)]
    if duration >= window:
        starts = [
            i * rule['stride']
            for i in range(int(duration // rule['stride']) + 1)
        ]
        # A window of less than half, or of a last second, is left out.
        windows = [(start, min(start + window, duration)) for start in starts
                   if duration - start >= window /
                   2 and (start == 0 or start < int(duration))]
    count = rule['num_windows']
    if count is not None and count < len(windows):
        windows = [
            windows[(2 * i + 1) * len(windows) // (2 * count)]
            for i in range(count)
        ]
    chosen = []
    for start, end in windows:
        first = min(int(start * rate), total - 1)
        last = max(first, min(int(end * rate), total - 1))
        inside = uniform_frames(last - first + 1, rule['frames'],
                                rule['clips']) + first
        chosen.append(np.minimum(inside, last))
    return np.concatenate(chosen)


def resize(picture: np.ndarray, how: Dict[str, Any]) -> np.ndarray:
    """Resize a picture.

    Args:
        picture (np.ndarray): Shape (h, w, 3), uint8.
        how (dict): ``resize`` of the rule.

    Returns:
        np.ndarray: The resized picture.
    """
    height, width = picture.shape[:2]
    if 'width' in how:
        size = how['width'], how['height']
    else:
        side, short = how['short_side'], min(height, width)
        if how['rounding'] == 'down':
            size = width * side // short, height * side // short
        else:
            scale = side / short
            size = int(width * scale + 0.5), int(height * scale + 0.5)
    name = how['interpolation']
    if how['library'] == 'pillow':
        from PIL import Image  # needed for the library pillow only
        method = getattr(Image.Resampling, name.upper())
        return np.array(Image.fromarray(picture).resize(size, method))
    codes = dict(
        nearest=cv2.INTER_NEAREST,
        bilinear=cv2.INTER_LINEAR,
        bicubic=cv2.INTER_CUBIC,
        area=cv2.INTER_AREA,
        lanczos=cv2.INTER_LANCZOS4)
    return cv2.resize(picture, size, interpolation=codes[name])


def crop_places(rule: Dict[str, Any], height: int,
                width: int) -> List[Tuple[int, int]]:
    """Place the crops of a rule.

    Args:
        rule (dict): ``sampling`` of the description.
        height (int): Of the resized picture.
        width (int): Of the resized picture.

    Returns:
        list[tuple[int, int]]: Top and left of each crop.
    """
    kind, size, count = rule['crop'], rule['size'], rule['crops']
    down, right = height - size, width - size
    if kind == 'none':
        return [(0, 0)]
    if kind == 'center':
        return [(down // 2, right // 2)]
    if kind == 'center-rounded':  # halves to the even number
        return [(round(down / 2), round(right / 2))]
    margin, portrait = max(down, right), down >= right
    if kind == 'three':
        starts = [0, margin // 2 * 2, margin // 2]
    else:
        starts = [int(j * margin / (count - 1)) for j in range(count)]
    return [(start, 0) if portrait else (0, start) for start in starts]


def cut(rule: Dict[str, Any], picture: np.ndarray) -> List[np.ndarray]:
    """Resize and crop a picture; a view for each crop."""
    picture, size = resize(picture, rule['resize']), rule['size']
    return [
        picture[top:top + size, left:left + size]
        for top, left in crop_places(rule, *picture.shape[:2])
    ]


def read_views(path: str, rule: Dict[str, Any]) -> np.ndarray:
    """Read a video or an image as a rule asks.

    Args:
        path (str): The file.
        rule (dict): ``sampling`` of the description.

    Returns:
        np.ndarray: RGB views, all clips of the first crop, then of the
        next: (views, frames, size, size, 3), uint8.

    Raises:
        Refused: If the file cannot be read.
    """
    try:
        if rule['kind'] == 'image':
            content = np.fromfile(path, np.uint8)
            picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
            if picture is None:
                raise Refused(f'{path} cannot be read: it is not an image')
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            return np.stack(cut(rule, picture))[:, None]
        total = sum(1 for _ in open_video(path))
        least = max(1, rule.get('min_frames', 1))
        if total < least:
            raise Refused(f'{path} has {total} frames, and needs {least}')
        chosen = choose_frames(rule, total, frame_rate(path))
        wanted, last = set(chosen.flat), chosen.max()
        found = {}
        for number, frame in enumerate(open_video(path)):
            if number in wanted:
                found[number] = cut(rule, to_array(frame))
            if number == last:
                break
    except (av.FFmpegError, cv2.error, OSError) as error:
        raise Refused(f'{path} cannot be read: {first_line(error)}')
    return np.stack([
        np.stack([found[number][crop] for number in clip])
        for crop in range(rule['crops']) for clip in chosen.tolist()
    ])


def check_shape(path: str, tensor: Dict[str, Any], found: np.ndarray) -> None:
    """Refuse an input of another shape than the exported shape.

    Args:
        path (str): The file, for the error.
        tensor (dict): Description of the input; a word in ``shape`` is an
            axis of any length.
        found (np.ndarray): The input.

    Raises:
        Refused: If a length differs.
    """
    axes = ['batch', 'views', 'frames', 'height', 'width', 'channels']
    if found.ndim == 4:
        axes = ['batch', *axes[3:]]
    wrong = [
        f'{axis}={length} and not {axis}={given}'
        for axis, length, given in zip(axes, tensor['shape'], found.shape)
        if isinstance(length, int) and length != given
    ]
    if wrong or found.ndim != len(tensor['shape']):
        raise Refused(f'{path} was exported for {", ".join(wrong)}: export '
                      'the model again, for these sizes')


def score(path: str, run: Model, description: Dict[str, Any],
          views: np.ndarray) -> np.ndarray:
    """Run a model on the views of a video or image.

    Args:
        path (str): The file, for errors.
        run (Callable): The model.
        description (dict): Of the model.
        views (np.ndarray): From ``read_views``.

    Returns:
        np.ndarray: Probabilities, (classes, ), or a number, (1, ).

    Raises:
        Refused: See ``check_shape``.
    """
    tensors = description['tensors']
    (given, ), shape = tensors['inputs'], tensors['inputs'][0]['shape']
    names = [output['name'] for output in tensors['outputs']]
    if len(shape) == 4:  # images
        parts = [views[:, 0]]
    else:
        # A file for a fixed number of views runs several times.
        step = shape[1] if isinstance(shape[1], int) else len(views)
        parts = [views[None, i:i + step] for i in range(0, len(views), step)]
    found: Dict[str, List[np.ndarray]] = {name: [] for name in names}
    for part in parts:
        check_shape(path, given, part)
        for name, output in zip(names, run(np.ascontiguousarray(part))):
            found[name].append(np.array(output[0]))
    if 'value' in found:
        return np.mean(found['value'], axis=0).reshape(1)
    if len(parts) == 1 or description['average'] == 'prob':
        return np.mean(found['probabilities'], axis=0)
    mean = np.concatenate(found['logits']).mean(axis=0)
    if description['probability'] == 'sigmoid':
        return 1 / (1 + np.exp(-mean))
    powers = np.exp(mean - mean.max())
    return powers / powers.sum()


def name_best(scores: np.ndarray, description: Dict[str, Any],
              top: int) -> List[Dict[str, Any]]:
    """Name the best classes.

    Args:
        scores (np.ndarray): Probabilities.
        description (dict): Of the model.
        top (int): How many classes.

    Returns:
        list[dict]: ``index``, ``label`` and ``probability``, the best first.
    """
    names = description.get('classes') or [
        f'class {i}' for i in range(len(scores))
    ]
    best = np.argsort(-scores, kind='stable')[:top].tolist()
    return [
        dict(index=i, label=names[i], probability=float(scores[i]))
        for i in best
    ]


def main() -> int:
    """Label a file; the exit code is 1 for an input without a label."""
    parser = argparse.ArgumentParser(
        description='Label a video or an image with an exported model.')
    parser.add_argument('model', help='the exported file')
    parser.add_argument('input', help='a video, or an image for a classifier')
    parser.add_argument(
        '--top', type=int, default=5, help='classes to print (5)')
    parser.add_argument(
        '--json', action='store_true', help='print a line of JSON')
    args = parser.parse_args()
    if args.top < 1:
        parser.error(f'--top must be at least 1, but got {args.top}')
    try:
        run, description = load(args.model)
        views = read_views(args.input, description['sampling'])
        scores = score(args.model, run, description, views)
    except Refused as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    found: Dict[str, Any] = dict(input=args.input, views=len(views))
    if description['task'] == 'video-regression':
        found['value'] = float(scores[0])
        lines = [f'{scores[0]:.4f}']
    else:
        best = found['predictions'] = name_best(scores, description, args.top)
        lines = [f'{x["probability"]:.4f}  {x["label"]}' for x in best]
    print(json.dumps(found) if args.json else '\n'.join(lines))
    return 0


if __name__ == '__main__':
    sys.exit(main())
