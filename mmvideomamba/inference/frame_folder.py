"""Folders of frames: names, numbers and gaps."""
import os
import re
import string
from typing import Dict, List, Optional, Tuple

from mmvideomamba.datasets.video import MediaError

_NUMBERED = re.compile(r'^(.*?)(\d+)(\.(?:jpe?g|png|bmp|webp))$', re.I)
_REMEDY = ('Name the frames in one way, such as img_00001.jpg, or give '
           "dict(frame_dir=FOLDER, filename_tmpl='img_{:05}.jpg', "
           'start_index=1).')


def _names(folder: str) -> List[str]:
    """List a folder, or name the fault."""
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise MediaError(folder, f'cannot be listed ({error})', _REMEDY,
                         'folder') from error


def _pattern(template: str, modality: str) -> 're.Pattern[str]':
    """Return the expression for the names of a template."""
    fields = [r'(\d+)']
    if modality == 'Flow':
        fields.insert(0, 'x')
    parts = []
    for text, field, _, _ in string.Formatter().parse(template):
        parts.append(re.escape(text))
        if field is not None:
            parts.append(fields.pop(0) if fields else r'\d+')
    return re.compile(f'^{"".join(parts)}$')


def _guess_template(folder: str, names: List[str]) -> Optional[str]:
    """Find the template of the numbered images of a folder."""
    found: Dict[Tuple[str, str], int] = {}
    for name in names:
        match = _NUMBERED.match(name)
        if match:
            key = (match[1], match[3])
            # Numbers without zeros in front grow longer; the shortest tells
            # the width.
            found[key] = min(found.get(key, 99), len(match[2]))
    if not found:
        return None
    if len(found) > 1:
        ways = ', '.join(f'{start}N{end}' for start, end in sorted(found)[:4])
        raise MediaError(folder, f'holds images named in several ways: {ways}',
                         _REMEDY, 'folder')
    ((start, end), width), = found.items()
    # Braces in a name are no field of the template.
    start, end = (
        part.replace('{', '{{').replace('}', '}}') for part in (start, end))
    return f'{start}{{:0{width}}}{end}'


def find_frames(folder: str,
                template: Optional[str] = None,
                start_index: Optional[int] = None,
                modality: str = 'RGB') -> dict:
    """Count the frames of a folder.

    Args:
        folder (str): The folder.
        template (str, optional): Names of the frames, such as
            'img_{:05}.jpg'. Defaults to None, found in the folder.
        start_index (int, optional): Number of the first frame. Defaults to
            None, the lowest found.
        modality (str): 'RGB', or 'Flow' with a template such as
            '{}_{:05}.jpg'. Defaults to 'RGB'.

    Returns:
        dict: ``filename_tmpl``, ``start_index``, ``total_frames`` and
        ``modality``.

    Raises:
        MediaError: If the folder cannot be listed, holds no frames, has gaps
            in the numbers or names of several kinds.
    """
    names = _names(folder)
    template = template or _guess_template(folder, names)
    numbers = []
    if template:
        matches = map(_pattern(template, modality).match, names)
        numbers = sorted(int(match[1]) for match in matches if match)
    if not numbers:
        raise MediaError(
            folder, f'holds no frames {template}' if template else
            'holds neither videos nor frames', _REMEDY, 'folder')
    first = numbers[0] if start_index is None else start_index
    expected = range(first, numbers[-1] + 1)
    if not expected:
        raise MediaError(folder, f'holds no frame from number {first} on',
                         _REMEDY, 'folder')
    missing = sorted(set(expected) - set(numbers))
    if missing:
        raise MediaError(
            folder, f'lacks {len(missing)} of the frames {first} to '
            f'{numbers[-1]}, the first of them {missing[0]}',
            'Extract the frames of the video again. ' + _REMEDY, 'folder')
    return dict(
        filename_tmpl=template,
        start_index=first,
        total_frames=len(expected),
        modality=modality)
