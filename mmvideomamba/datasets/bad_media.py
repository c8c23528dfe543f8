"""One policy for unreadable media, for all data sets."""
import random
from typing import (TYPE_CHECKING, Any, Callable, Dict, Iterable, List,
                    Optional, Set, Tuple)

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from .annotation_faults import fault_list
from .bad_medium import (KEY, BadMediaShareError, BadMedium, allowed_bad,
                         share_error)
from .samplers.placed_sampler import Place
from .video.errors import HungMediaError, MediaError

POLICIES = ('raise', 'replace', 'report')
MAX_DRAWS = 10_000  # in a row, all bad: no sample will be found
DRAWS_OVER_SHARE = 100  # in a row, until a worker does not wait for the hook

# The host's data set stands behind the mixin; a type checker needs a base.
_Base: Any = BaseDataset if TYPE_CHECKING else object


class BadMediaMixin(_Base):
    """Let a data set raise, replace or report unreadable media.

    - 'raise': the error ends the run.
    - 'replace', for training: another sample takes the place, complete with
      label or text. The other sample is drawn from seed, epoch, position in
      the epoch and attempt, independent of all other draws. More bad files
      than ``max_bad_share`` end the run.
    - 'report', for validation and test: the sample is left out of the
      metrics.

    ``BadMediaHook`` tells the samplers of a training the seed and epoch,
    gathers the bad files of all processes, ends the run, and leaves samples
    out of the metrics. Without the hook 'replace' draws from the number of
    the sample alone, each process counts for itself, and 'report' raises.

    The class stands in front of the host's data set in the list of bases.

    Args:
        *args: Of the host's data set.
        bad_media (str): The policy. Defaults to 'raise'.
        max_bad_share (float): Share of the files, from 0 to 1. Defaults to
            0.1.
        max_refetch (int, optional): Replacements tried for a sample.
            Defaults to None, no limit.
        **kwargs: Of the host's data set.

    Raises:
        ValueError: If an argument is not allowed, or a test set has the
            policy 'replace'.
    """

    path_key = 'filename'

    def __init__(self,
                 *args: Any,
                 bad_media: str = 'raise',
                 max_bad_share: float = 0.1,
                 max_refetch: Optional[int] = None,
                 **kwargs: Any) -> None:
        if bad_media not in POLICIES:
            raise ValueError(f'bad_media must be one of {list(POLICIES)}, but '
                             f'is {bad_media!r}')
        if not (isinstance(max_bad_share,
                           (int, float)) and 0 <= max_bad_share <= 1):
            raise ValueError('max_bad_share must be from 0 to 1, but is '
                             f'{max_bad_share!r}')
        if max_refetch is not None and not (isinstance(max_refetch, int)
                                            and max_refetch >= 0):
            raise ValueError('max_refetch must be at least 0, but is '
                             f'{max_refetch!r}')
        self.bad_media, self.max_bad_share = bad_media, max_bad_share
        self.max_replacements = max_refetch
        self.watched = False  # by a hook, which leaves samples out
        self.known_hung: Set[str] = set()
        # Samples at which workers of the loader died; the loader sets both.
        self.known_deadly: Set[int] = set()
        self.note_reading: Optional[Callable[[int], None]] = None
        self._faults: Dict[str, str] = {}
        self._good: Optional[int] = None
        self._opened = ''  # path of the last sample
        self._num_files: Optional[int] = None
        if max_refetch is not None:
            # The host draws again where a pipeline gives up.
            by_host = isinstance(self, BaseDataset) and bad_media == 'raise'
            if not by_host and bad_media != 'replace':
                raise ValueError('max_refetch limits the replacements of '
                                 f"bad_media='replace', but bad_media="
                                 f'{bad_media!r}')
            if by_host:
                kwargs['max_refetch'] = max_refetch
        super().__init__(*args, **kwargs)
        # The host's __init__ sets test_mode.
        if bad_media == 'replace' and getattr(self, 'test_mode', False):
            raise ValueError("bad_media='replace' would test on other "
                             "samples; a data set with test_mode=True takes "
                             "'raise' or 'report'")

    @property
    def source(self) -> str:
        """Name of the annotation file, for messages."""
        prefix = getattr(self, 'data_prefix', {}).values()
        return getattr(self, 'ann_file', '') or ', '.join(map(str, prefix))

    @property
    def num_files(self) -> int:
        """Number of files, at most the number of samples."""
        size = len(self)
        return min(self._num_files or size, size)

    def filter_data(self) -> List[dict]:
        """Count the files before the host packs the list of samples.

        Returns:
            list[dict]: All samples of the host.
        """
        samples = super().filter_data()
        self._num_files = len({one.get(self.path_key) for one in samples})
        return samples

    def allowed_missing(self, files: int) -> int:
        """Return how many files may be missing at the start.

        Args:
            files (int): Files of the list.

        Returns:
            int: 0 by the policy 'raise', all files but a single by 'report'.
        """
        allowed = dict(
            replace=allowed_bad(files, self.max_bad_share), report=files - 1)
        return allowed.get(self.bad_media, 0)

    def get_data_info(self, idx: int) -> dict:
        """Return a sample before the pipeline.

        Args:
            idx (int): Number of the sample.

        Returns:
            dict: Of the host's data set.

        Raises:
            HungMediaError: If the decoder hung on the file before.
        """
        info = super().get_data_info(idx)
        self.refuse_hung(info.get(self.path_key, ''))
        return info

    def locate(self, error: MediaError) -> Tuple[str, str]:
        """Name the bad file of an error.

        Args:
            error (MediaError): Of the file.

        Returns:
            tuple[str, str]: The path, and the fault.
        """
        return error.path, error.fault

    def refuse_hung(self, path: str) -> None:
        """Note the file of a sample, and refuse it after a hanging decoder.

        Args:
            path (str): The file.

        Raises:
            HungMediaError: If the decoder did.
        """
        self._opened = path
        # Without an extension the host appends one.
        hung = self.known_hung & {path, f'{path}.mp4'}
        if hung:
            raise HungMediaError(path, 'made the decoder hang before')

    def __getitem__(self, idx: int) -> Any:
        """Return a sample, by the policy.

        Args:
            idx (int): Number of the sample.

        Returns:
            Any: The result of the pipeline.

        Raises:
            BadMediaShareError: If too many files are bad.
            MediaError: By the policy, or beyond ``max_refetch``.
        """
        if self.bad_media == 'replace':
            return self._named(self._replace(idx))
        if self.bad_media == 'report':
            return self._report(idx)
        self._begin(int(idx))
        return self._named(self._strict(idx))

    def _named(self, sample: Any) -> Any:
        """Write the path into a training sample, for messages."""
        if not getattr(self, 'test_mode', False):
            for one in sample if isinstance(sample, list) else [sample]:
                data_sample = _data_sample(one)
                if data_sample is not None and self.path_key not in \
                        data_sample:
                    data_sample.set_metainfo({self.path_key: self._opened})
        return sample

    def _strict(self, idx: int) -> Any:
        """Return a sample as the host does."""
        return super().__getitem__(idx)

    def _begin(self, index: int) -> None:
        """Note which sample is read, for the case that the process dies."""
        if index in self.known_deadly:
            path = self.get_data_info(index).get(self.path_key, '')
            raise MediaError(path, 'ended the process that read it, twice')
        if self.note_reading is not None:
            self.note_reading(index)

    def _try(self, index: int) -> Tuple[Any, Optional[BadMedium]]:
        """Return a sample, or the reason of a failure."""
        before = _generators()
        try:
            self._begin(index)
            sample = self.prepare_data(index)
            if sample is not None:
                self._good = index
                return sample, None
            # By the host's convention the pipeline could not use the sample.
            path = self.get_data_info(index).get(self.path_key, '')
            error = MediaError(path, 'was given up by the pipeline')
        except MediaError as caught:
            error = caught
        # The next attempt draws as if nothing had been drawn.
        _set_generators(before)
        hung = isinstance(error, HungMediaError)
        if hung:
            self.known_hung.add(error.path)
        file, fault = self.locate(error)
        self._faults[file] = fault
        return None, BadMedium(file, fault, error.kind, hung, self.bad_media,
                               index, self.source, self.num_files,
                               self.max_bad_share)

    def _replace(self, idx: int) -> Any:
        """Return a sample, or the first good replacement."""
        watched = self.watched or isinstance(idx, Place)
        # numpy takes no negative numbers as a seed.
        place = idx if isinstance(idx, Place) else Place(
            idx, position=max(idx, 0))
        index, size = int(idx), len(self)
        tried: Set[int] = set()
        found: Dict[str, BadMedium] = {}
        rng = None
        while True:
            sample, bad = self._try(index)
            if bad is None:
                return self._noted(sample, list(found.values()))
            found.setdefault(bad.file, bad)
            self._check_limits(bad, len(tried), watched)
            tried.add(index)
            if len(tried) >= size:
                raise self._nothing_left()
            rng = rng or np.random.default_rng(
                [place.seed, place.epoch, place.position])
            while index in tried:
                index = int(rng.integers(size))

    def _check_limits(self, bad: BadMedium, tries: int, watched: bool) -> None:
        """Raise if no further replacement is to be tried."""
        limit = self.max_replacements
        if limit is not None and tries >= limit:
            raise MediaError(
                bad.file, f'{bad.fault}, and max_refetch={limit} allows no '
                'further replacement',
                kind=bad.kind)
        over = len(self._faults) > allowed_bad(self.num_files,
                                               self.max_bad_share)
        patience = DRAWS_OVER_SHARE if watched else 0
        if over and (tries >= patience or len(self._faults)
                     >= self.num_files) or tries >= MAX_DRAWS:
            raise share_error(self.source, self._faults, self.num_files,
                              self.max_bad_share)

    def _report(self, idx: int) -> Any:
        """Return a sample, or a marked stand-in."""
        sample, bad = self._try(int(idx))
        if bad is None:
            return self._numbered(sample, int(idx))
        if not (self.watched or isinstance(idx, Place)):
            raise MediaError(
                bad.file, bad.fault, "bad_media='report' leaves it out of "
                'the metrics only with mmvideomamba.BadMediaHook among the '
                'default_hooks.', bad.kind)
        size = len(self)
        others: Iterable[int] = ((idx + i) % size for i in range(1, size))
        # The last good sample first: the next numbers may be bad files as
        # well.
        if self._good is not None:
            others = [self._good, *others]
        for other in others:
            sample, fault = self._try(int(other))
            if fault is None:
                sample = self._numbered(sample, int(idx))
                return self._noted(sample, [bad])
        raise self._nothing_left()

    def _nothing_left(self) -> BadMediaShareError:
        """Build the error of a data set without any good file."""
        return BadMediaShareError(
            fault_list(f'no file of {self.source} can be read',
                       [f'{k} {v}' for k, v in self._faults.items()]))

    def _numbered(self, sample: Any, index: int) -> Any:
        """Write the number of a sample next to the future prediction."""
        data_sample = _data_sample(sample)
        if data_sample is not None:
            data_sample.set_metainfo(dict(sample_idx=index))
        return sample

    def _noted(self, sample: Any, found: List[BadMedium]) -> Any:
        """Write the bad files into a sample."""
        if not found:
            return sample
        data_sample = _data_sample(sample)
        if data_sample is not None:
            data_sample.set_metainfo({KEY: found})
        elif self.bad_media == 'report':
            raise MediaError(
                found[0].file, found[0].fault, "With bad_media='report' the "
                'pipeline must end with PackActionInputs or PackInputs.',
                found[0].kind)
        else:
            for bad in found:
                print_log(
                    f'{bad.kind} {bad.file} {bad.fault}; another '
                    'sample is taken', 'current', 30)
        return sample


def _data_sample(sample: Any) -> Optional[BaseDataElement]:
    """Return the data sample of a result, the first of several copies."""
    if isinstance(sample, list) and sample:
        sample = sample[0]
    found = sample.get('data_samples') if isinstance(sample, dict) else None
    if isinstance(found, list) and found:  # of test-time augmentation
        found = found[0]
    return found if isinstance(found, BaseDataElement) else None


def _generators() -> Tuple[Any, Any, Any]:
    """Return the states of the generators of all transforms."""
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def _set_generators(states: Tuple[Any, Any, Any]) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
