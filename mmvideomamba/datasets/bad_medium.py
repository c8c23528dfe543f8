"""Reports of unreadable media, from data sets to hooks."""
from typing import Any, Dict, List, NamedTuple

from mmengine.structures import BaseDataElement

from .annotation_faults import fault_list

KEY = 'bad_media'  # of a data sample's metainfo


class BadMedium(NamedTuple):
    """A file, found unreadable.

    Args:
        file (str): The path.
        fault (str): A predicate.
        kind (str): 'video', 'image' or 'entry'.
        hung (bool): Whether the decoder did not answer.
        policy (str): Of the data set.
        sample (int): Number of the sample of the file.
        source (str): Annotation file of the data set.
        num_files (int): Files of the data set.
        max_share (float): Largest share of bad files in a training.
    """
    file: str
    fault: str
    kind: str
    hung: bool
    policy: str
    sample: int
    source: str
    num_files: int
    max_share: float


def allowed_bad(files: int, share: float) -> int:
    """Return how many files a share is.

    Args:
        files (int): All files.
        share (float): From 0 to 1.

    Returns:
        int: Rounded down.
    """
    # 0.29 * 100 is 28.999999999999996.
    return int(files * share + 1e-6)


class BadMediaShareError(ValueError):
    """The share of bad files is above ``max_bad_share``."""


def share_error(source: str,
                faults: Dict[str, str],
                num_files: int,
                max_share: float,
                listing: str = '') -> BadMediaShareError:
    """Build the error at the end of a training.

    Args:
        source (str): Annotation file of the data set.
        faults (dict[str, str]): Fault by file.
        num_files (int): Files of the data set.
        max_share (float): Share allowed.
        listing (str): File with the whole list. Defaults to '', none.

    Returns:
        BadMediaShareError: With the first files.
    """
    share = 100 * len(faults) / max(num_files, 1)
    where = f'All of them are in {listing}. ' if listing else ''
    return BadMediaShareError(
        fault_list(
            f'{len(faults)} of {num_files} files of {source} are bad, '
            f'{share:.3g} %; max_bad_share={max_share:g} ends the training',
            [f'{file} {fault}' for file, fault in faults.items()],
            f'{where}Correct the paths, replace the files or leave them out '
            'of the list, or raise max_bad_share.'))


def bad_media_in(data_batch: Any) -> List[List[BadMedium]]:
    """Find the bad media of a batch.

    Args:
        data_batch (Any): A batch of the data loader.

    Returns:
        list[list[BadMedium]]: For each data sample of the batch, mostly
        empty lists; an empty list for a batch without data samples.
    """
    samples = data_batch.get('data_samples') if isinstance(data_batch,
                                                           dict) else None
    if not isinstance(samples, (list, tuple)):
        return []
    # Of test-time augmentation, a batch for each view.
    if samples and isinstance(samples[0], (list, tuple)):
        samples = samples[0]
    return [
        sample.metainfo.get(KEY, [])
        if isinstance(sample, BaseDataElement) else [] for sample in samples
    ]
