"""Names of the samples of a batch, and a search for bad values."""
from typing import Any, Iterator, List, Optional

import torch
from mmengine.structures import BaseDataElement

# Fields of data samples that name a file.
_PATHS = ('filename', 'frame_dir', 'img_path', 'video_path', 'video_id')


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Find the tensors of nested containers and data samples.

    Args:
        value (Any): A batch, or the inputs or outputs of a module.

    Yields:
        Tensor: One after the other.
    """
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from tensors_in(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from tensors_in(one)
    elif isinstance(value, BaseDataElement):
        yield from tensors_in(dict(value.all_items()))


def is_bad(value: torch.Tensor) -> bool:
    """Tell whether a tensor holds infinite values or NaN.

    Args:
        value (Tensor): Of any type; integers are always good.

    Returns:
        bool: Whether any value is bad. The device is waited for.
    """
    if not (value.is_floating_point() or value.is_complex()):
        return False
    return not bool(torch.isfinite(value.detach()).all())


def _samples(batch: Any) -> List[Any]:
    """Return the data samples of a batch, views one after another."""
    found = batch.get('data_samples') if isinstance(batch, dict) else None
    if not isinstance(found, (list, tuple)):
        return []
    return [
        x for one in found
        for x in (one if isinstance(one, (list, tuple)) else [one])
    ]


def sample_name(sample: Any, number: int) -> str:
    """Name a sample.

    Args:
        sample (BaseDataElement): Of a batch.
        number (int): Place in the batch.

    Returns:
        str: Path and label, as far as known.
    """
    fields = dict(sample.all_items()) if isinstance(sample,
                                                    BaseDataElement) else {}
    path = next((str(fields[k]) for k in _PATHS if fields.get(k)), '')
    known = []
    label = fields.get('gt_label', fields.get('gt_labels'))
    if isinstance(label, torch.Tensor) and label.numel() == 1:
        known.append(f'label {label.item()}')
    if isinstance(fields.get('text'), str):
        known.append(f'text {fields["text"][:60]!r}')
    if not path and fields.get('sample_idx') is not None:
        known.append(f'number {fields["sample_idx"]} of its data set')
    name = path or f'sample {number}'
    return f'{name} ({", ".join(known)})' if known else name


def sample_names(batch: Any) -> List[str]:
    """Name the samples of a batch.

    Args:
        batch (Any): Of the loader.

    Returns:
        list[str]: Paths and labels, as far as known; [] without data samples.
    """
    return [sample_name(x, i) for i, x in enumerate(_samples(batch))]


def bad_samples(batch: Any) -> Optional[List[int]]:
    """Find the samples of a batch with bad values.

    Args:
        batch (Any): Of the loader.

    Returns:
        list[int]: Places in the batch; [] for bad values outside of all
        samples; None without bad values.
    """
    if not any(map(is_bad, tensors_in(batch))):
        return None
    size = len(_samples(batch))
    values = batch.values() if isinstance(batch, dict) else batch
    found = set()
    for value in values:
        # A stack of all samples, or an entry for each.
        if isinstance(value,
                      (list, tuple, torch.Tensor)) and len(value) == size:
            found |= {
                i
                for i, one in enumerate(value)
                if any(map(is_bad, tensors_in(one)))
            }
    return sorted(found)
