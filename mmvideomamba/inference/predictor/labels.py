"""True labels of files, and the match of both."""
import os
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from mmvideomamba.datasets.annotation_faults import (fault_list, quote_line,
                                                     read_lines)

_REMEDY = 'Write a line for each file: the name, a space and the label.'


def read_labels(path: str, num_classes: int,
                classes: Optional[Sequence[str]]) -> Dict[str, int]:
    """Read true labels.

    Args:
        path (str): Text file, a line for each video: the name and the label,
            with a space, tab or comma between. A label is a number or the
            name of a class.
        num_classes (int): Classes of the model.
        classes (Sequence[str], optional): A name for each class, None
            without.

    Returns:
        dict[str, int]: Label by name of the file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file holds no labels, or a line cannot be read;
            the message lists the lines.
    """
    found: Dict[str, int] = {}
    faults: List[str] = []
    # The end of a line may be the name of several classes.
    known = sorted(
        enumerate(classes or ()), key=lambda pair: len(pair[1]), reverse=True)
    for number, line in enumerate(read_lines(path, _REMEDY), 1):
        text = line.strip()
        if not text:
            continue
        try:
            name, label = _split(text, num_classes, known)
            if found.get(name, label) != label:
                raise ValueError(f'{name} has the label {found[name]} before')
            found[name] = label
        except ValueError as error:
            faults.append(f'line {number}: {quote_line(text)}: {error}')
    if faults:
        raise ValueError(
            fault_list(
                f'{len(faults)} lines of the labels {path} cannot be '
                'used', faults, _REMEDY))
    if not found:
        raise ValueError(f'{path} holds no label. {_REMEDY}')
    return found


def _split(text: str, num_classes: int,
           classes: Sequence[Tuple[int, str]]) -> Tuple[str, int]:
    """Take a line apart into name and label."""
    # Names before numbers, as the name of a class can end in a number.
    for label, known in classes:
        head = text[:-len(known)]
        if text.endswith(known) and head[-1:] in (' ', '\t', ','):
            if known.isdigit() and int(known) != label:
                raise ValueError(f'{known} is the name of class {label}, and '
                                 'the number of another; name classes '
                                 'otherwise (--classes)')
            return head.rstrip(' \t,'), label
    for mark in (',', None):
        parts = text.rsplit(mark, 1)
        if len(parts) == 2 and parts[1].strip().isdigit():
            label = int(parts[1])
            if label >= num_classes:
                raise ValueError(f'the model has the classes 0 to '
                                 f'{num_classes - 1}')
            return parts[0].strip(), label
    raise ValueError('the label is neither a number nor the name of a class')


class Match(NamedTuple):
    """Labels of inputs.

    Args:
        labels (dict[str, int]): Label by input.
        without (list[str]): Inputs without a label.
        unused (list[str]): Names in the list that are no input.
        doubtful (list[str]): Names in the list for several inputs, left
            without a label.
    """
    labels: Dict[str, int]
    without: List[str]
    unused: List[str]
    doubtful: List[str]

    def fault(self, path: str) -> str:
        """Say what does not match.

        Args:
            path (str): The list of labels, for the message.

        Returns:
            str: '' if all inputs have a label, and all labels an input.
        """
        parts = []
        for found, text in ((self.without, 'inputs have no label'),
                            (self.unused, 'labels name no input'),
                            (self.doubtful, 'labels fit several inputs')):
            if found:
                parts.append(fault_list(f'{len(found)} {text}:', found))
        if not parts:
            return ''
        return '\n'.join([
            f'the labels {path} do not match the inputs:', *parts,
            'Names are compared from the end of a path, with or without the '
            'ending of the file.'
        ])


def _keys(path: str) -> List[str]:
    """Return what a list may call a file, the longest name first."""
    whole = Path(os.path.abspath(path))
    keys = [os.path.normpath(path), str(whole)]
    for name in (whole, whole.with_suffix('') if whole.name else whole):
        parts = name.parts[1:]
        keys += [os.path.join(*parts[i:]) for i in range(len(parts))]
    return keys


def match_labels(labels: Dict[str, int], inputs: Sequence[str]) -> Match:
    """Find the label of each input.

    A name in the list is a path, or the last parts of one, with or without
    the ending of the file.

    Args:
        labels (dict[str, int]): See ``read_labels``.
        inputs (Sequence[str]): Paths.

    Returns:
        Match: The labels, and all that does not match.
    """
    known = {os.path.normpath(name): name for name in labels}
    fits: Dict[str, List[str]] = {}
    without = []
    for item in dict.fromkeys(inputs):
        name = next((known[key] for key in _keys(item) if key in known), None)
        if name is None:
            without.append(item)
        else:
            fits.setdefault(name, []).append(item)
    found = {
        items[0]: labels[name]
        for name, items in fits.items() if len(items) == 1
    }
    doubtful = [name for name, items in fits.items() if len(items) > 1]
    unused = [name for name in labels if name not in fits]
    return Match(found, without, unused, doubtful)
