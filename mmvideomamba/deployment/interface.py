"""Sizes of the free axes, and the metadata of exported files."""
import json
from typing import (Any, Dict, List, NamedTuple, Optional, Sequence, Tuple,
                    Union)

from torch import Tensor

from .wrappers import FREE, ExportWrapper, Size

# Of the metadata, in each format.
KEY = 'mmvideomamba'
DYNAMIC = 'dynamic'


class Interface(NamedTuple):
    """Input shapes of an exported file.

    Args:
        axes (tuple[str]): Free axes of the input, of 'batch' and 'views'.
        lengths (tuple[int, optional]): Length of each; None is any length.
        example (tuple[int]): Lengths of the traced input.
        trials (tuple[tuple[int]]): Lengths for the check.
    """
    axes: Tuple[str, ...]
    lengths: Tuple[Optional[int], ...]
    example: Tuple[int, ...]
    trials: Tuple[Tuple[int, ...], ...]

    def fixed(self, axes: Sequence[Size]) -> List[Size]:
        """Put the lengths of static axes into a shape."""
        known: Dict[Size, Size] = {
            axis: length
            for axis, length in zip(self.axes, self.lengths) if length
        }
        return [known.get(axis, axis) for axis in axes]


def _length(name: str, value: Union[int, str]) -> Optional[int]:
    """Check the length of an axis; None is any length."""
    if value == DYNAMIC:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be '{DYNAMIC}' or a positive number, "
                         f'but got {value!r}')
    return value


def make_interface(wrapper: ExportWrapper,
                   batch: Union[int, str] = DYNAMIC,
                   views: Union[int, str, None] = None) -> Interface:
    """Choose the input shapes of an exported file.

    Args:
        wrapper (ExportWrapper): The model.
        batch (int | str): 'dynamic', or the only batch. Defaults to
            'dynamic'.
        views (int | str, optional): 'dynamic', or the only number of views of
            a video. Defaults to None: dynamic with a dynamic batch, else 1.

    Returns:
        Interface: The shapes.

    Raises:
        ValueError: If a number is not allowed, or the model takes no views.
    """
    axes = tuple(a for a in FREE if a in wrapper.input_axes)
    if views is not None and 'views' not in axes:
        raise ValueError(f'views={views!r}: {type(wrapper).__name__} takes '
                         'one view each; leave views out')
    if views is None:
        views = DYNAMIC if batch == DYNAMIC else 1
    wanted = dict(batch=_length('batch', batch), views=_length('views', views))
    lengths = tuple(wanted[a] for a in axes)
    # An axis of length 1 would be taken for a constant by the tracer.
    # Few views: thirteen views of 64 frames took most of the time of an
    # export, and the five views below tell a wrong axis as well.
    trials = [(2, 3), (2, 2), (1, 1)]
    # The first shape is traced and the others are run: a length taken for a
    # constant shows.
    example, *fit = [
        tuple(n or t for n, t in zip(lengths, trial)) for trial in trials
    ]
    return Interface(axes, lengths, example, tuple(dict.fromkeys(fit)))


def metadata(description: Dict[str, Any], wrapper: ExportWrapper,
             interface: Interface, outputs: Sequence[Tensor]) -> str:
    """Write the metadata of a file.

    Args:
        description (dict): Of ``inference.saved.describe``.
        wrapper (ExportWrapper): The model.
        interface (Interface): Shapes of the file.
        outputs (Sequence[Tensor]): Any outputs of the model, for sizes.

    Returns:
        str: JSON: the description and ``tensors``. ``inputs`` and ``outputs``
        of ``tensors`` are lists, in order, of ``name``, ``dtype`` and
        ``shape``; in a shape a word is an axis of any length.
    """
    dtype = str(wrapper.input_dtype).rpartition('.')[2]
    inputs = [
        dict(
            name=wrapper.input_name,
            dtype=dtype,
            shape=interface.fixed(wrapper.input_axes))
    ]
    results = [
        dict(
            name=name,
            dtype='float32',
            shape=interface.fixed(axes + tuple(output.shape[len(axes):])))
        for (name, axes), output in zip(wrapper.output_axes.items(), outputs)
    ]
    tensors = dict(inputs=inputs, outputs=results)
    return json.dumps(dict(description, tensors=tensors))
