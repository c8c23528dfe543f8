"""Reading of several inputs, of which some may be bad."""
import logging
from typing import (Any, Callable, Dict, Iterator, List, NamedTuple, Optional,
                    Sequence)

from mmengine.logging import print_log

from mmvideomamba.datasets.annotation_faults import fault_list
from mmvideomamba.datasets.video import MediaError
from .inputs import input_name

# Keys of the metainfo of a result.
NAME, ERROR = 'input_name', 'error'


class Read(NamedTuple):
    """An input after the pipeline.

    Args:
        name (str): Of the input.
        sample (dict, optional): The packed sample; None for a bad input.
        error (MediaError, optional): Of a bad input.
    """
    name: str
    sample: Optional[dict] = None
    error: Optional[MediaError] = None


def read_batches(inputs: Sequence[Any], read: Callable[[Any], dict],
                 batch_size: int) -> Iterator[List[Read]]:
    """Read inputs, some at a time.

    Args:
        inputs (Sequence): Single inputs.
        read (Callable): From an input to the packed sample.
        batch_size (int): Inputs at a time.

    Yields:
        list[Read]: All inputs in turn, bad ones among several too.

    Raises:
        MediaError: If the only input is bad.
        ValueError: If all inputs are bad, or ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f'batch_size must be at least 1, but is {batch_size}')
    bad: List[str] = []
    for start in range(0, len(inputs), batch_size):
        batch = []
        for item in inputs[start:start + batch_size]:
            try:
                batch.append(Read(input_name(item), read(item)))
            except MediaError as error:
                # The error says all; a list of bad inputs would say the same
                # twice.
                if len(inputs) == 1:
                    raise
                bad.append(str(error))
                batch.append(Read(input_name(item), error=error))
        yield batch
    _report(bad, len(inputs))


def _report(bad: List[str], total: int) -> None:
    """Count and list the bad inputs."""
    if not bad:
        return
    text = fault_list(f'{len(bad)} of {total} inputs cannot be read', bad,
                      'Their predictions are empty, and hold the error.')
    if len(bad) == total:
        raise ValueError(text)
    print_log(text, 'current', logging.WARNING)


def score_batch(batch: Sequence[Read], score: Callable[[List[dict]],
                                                       Sequence[Any]],
                empty: Callable[..., Any]) -> List[Any]:
    """Score the good inputs of a batch.

    Args:
        batch (Sequence[Read]): Of ``read_batches``.
        score (Callable): From packed samples to results.
        empty (Callable): Class of a result, for bad inputs.

    Returns:
        list: A result for each input; one of a bad input has the error in
        its metainfo and nothing else.
    """
    good = [one.sample for one in batch if one.sample is not None]
    scored = iter(score(good) if good else [])
    results = []
    for one in batch:
        result = (
            next(scored) if one.sample is not None else empty(
                metainfo={ERROR: str(one.error)}))
        result.set_metainfo({NAME: one.name})
        results.append(result)
    return results


def for_readable(draw: Callable[[List[Any], List[Any]],
                                Optional[Sequence]], inputs: Sequence[Any],
                 results: Sequence[Any]) -> Optional[List[Any]]:
    """Call a function for the inputs that could be read.

    Args:
        draw (Callable): From lists of inputs and results to a list, or None.
        inputs (Sequence): All inputs.
        results (Sequence): A result for each, see ``score_batch``.

    Returns:
        list, optional: A value for each input, None for a bad one; None if
        ``draw`` returns None.
    """
    places = [
        place for place, result in enumerate(results)
        if ERROR not in result.metainfo
    ]
    values = draw([inputs[i] for i in places], [results[i] for i in places])
    if values is None:
        return None
    found: Dict[int, Any] = dict(zip(places, values))
    return [found.get(place) for place in range(len(results))]
