"""The test pipeline of a config, for inputs of any kind."""
import copy
import threading
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from .clip_groups import read_clips
from .inputs import SOURCES, Input, pack_input
from .views import (SAMPLERS, SINGLE, WINDOWS, Views, check_views, set_views,
                    step_name)

# Threads may read together, and the scope of a host is of the process.
_BUILDING = threading.Lock()
_OPEN = dict(type='mmvideomamba.OpenVideo')
_DECODE = dict(
    array=dict(type='mmvideomamba.DecodeArray'),
    frame_dir=dict(type='mmvideomamba.DecodeRawFrames'),
    filename=dict(type='mmvideomamba.DecodeFrames'))
_SAMPLERS = ('Sample', 'SampleFrames', 'FrameSelector')


class Chosen(NamedTuple):
    """The frames that a pipeline chose.

    Args:
        frames (list[list[int]]): Numbers of the frames of each clip, the
            first frame of a video is 0; empty where unknown.
        fps (float, optional): Frames per second on average; None where
            unknown.
    """
    frames: List[List[int]]
    fps: Optional[float] = None

    @property
    def times(self) -> List[List[float]]:
        """Seconds of the frames from the start; empty without a rate."""
        if not self.fps:
            return []
        return [[round(i / self.fps, 6) for i in clip] for clip in self.frames]


def _opens(step: dict) -> bool:
    """Tell whether a step opens a file."""
    name = step_name(step)
    return name == 'OpenVideo' or name.endswith('Init')


def _decodes(step: dict) -> bool:
    """Tell whether a step decodes."""
    return 'Decode' in step_name(step)


def adapt_steps(steps: Sequence[dict], source: str) -> List[dict]:
    """Replace the reading steps of a config for another kind of input.

    Args:
        steps (Sequence[dict]): The test pipeline of a config.
        source (str): 'filename', 'frame_dir', 'array' or 'imgs'.

    Returns:
        list[dict]: Steps for this kind; the steps of the config where the
        kind is the same.
    """
    if source == 'imgs':
        return [
            step for step in steps if not _opens(step) and not _decodes(step)
            and not step_name(step).endswith(_SAMPLERS)
        ]
    raw = any('RawFrame' in step_name(step) or 'ArrayDecode' in step_name(step)
              for step in steps if _decodes(step))
    if source == 'filename' and not raw:
        return list(steps)
    adapted = [_OPEN] if source == 'filename' else []
    for step in steps:
        if _decodes(step) and not (raw and source == 'frame_dir'):
            step = _DECODE[source]
        if not _opens(step):
            adapted.append(step)
    return adapted


class VideoPipeline:
    """Make the packed sample of an input of any kind.

    Args:
        steps (Sequence[dict]): The test pipeline of a config.
        views (str | int): 'all', 'one' or a number, see ``views``. Defaults
            to 'all'.
        data_set (dict, optional): Config of the data set of the test, with
            the length of windows of long videos. Defaults to None.
        pack_cfg (dict, optional): ``filename_tmpl``, ``start_index`` and
            ``modality`` of folders of frames. Defaults to None.

    Raises:
        ValueError: If ``views`` is unknown or does not fit the pipeline.
    """

    def __init__(self,
                 steps: Sequence[dict],
                 views: Views = 'all',
                 data_set: Optional[dict] = None,
                 pack_cfg: Optional[dict] = None) -> None:
        self.original = [copy.deepcopy(step) for step in steps]
        for step in self.original:
            if step_name(step) in WINDOWS:
                self._set_windows(step, data_set or {})
        self.pack_cfg = pack_cfg or {}
        self.set_views(views)

    @staticmethod
    def _set_windows(step: dict, data_set: dict) -> None:
        """Let a sampler of windows cut whole videos as the data set does."""
        # The defaults of WindowVideoDataset.
        step.setdefault('window', data_set.get('window', 60.))
        step.setdefault('stride', data_set.get('stride', 16.))
        step.setdefault('num_windows', data_set.get('num_windows'))

    def set_views(self, views: Views) -> None:
        """Choose another number of views for the next inputs.

        Args:
            views (str | int): See ``views``.

        Raises:
            ValueError: See the class.
        """
        self.views = check_views(views)
        self.steps = set_views(self.original, views)
        self._built: Dict[str, Tuple[Optional[Compose], Compose]] = {}

    def __call__(self, item: Input) -> dict:
        """Read an input.

        Args:
            item (str | np.ndarray | dict): From ``list_inputs``.

        Returns:
            dict: ``inputs`` (Tensor), the views, (m, 3, t, h, w), uint8, and
            ``data_samples``.

        Raises:
            MediaError: If a file or folder cannot be read.
            ValueError: If an input is not a video.
        """
        return self.read(item)[0]

    def read(self, item: Input) -> Tuple[dict, Chosen]:
        """Read an input, and tell the frames.

        Args:
            item (str | np.ndarray | dict): From ``list_inputs``.

        Returns:
            tuple[dict, Chosen]: The packed sample, and the chosen frames.

        Raises:
            MediaError: See ``__call__``.
            ValueError: See ``__call__``.
        """
        choose, rest, sample = self.parts(item)
        if choose is None:
            return rest(sample), Chosen([])
        sample = choose(sample)
        # Users count frames from 0, files of frames may begin at 1.
        inds = sample['frame_inds'] - sample.get('start_index', 0)
        clips = inds.reshape(-1, int(sample['clip_len'])).tolist()
        chosen = Chosen(clips, sample.get('avg_fps'))
        return read_clips(sample, rest), chosen

    def parts(self, item: Input) -> Tuple[Optional[Compose], Compose, dict]:
        """Return the steps for an input, and the sample.

        Args:
            item (str | np.ndarray | dict): From ``list_inputs``.

        Returns:
            tuple[Compose | None, Compose, dict]: Steps up to the sampler of
            frames, None without one; all others; and the sample for them.

        Raises:
            MediaError: If a path does not exist.
            ValueError: If an input is not a video.
        """
        sample = pack_input(item, **self.pack_cfg)
        source = next(key for key in SOURCES if key in sample)
        with _BUILDING:
            if source not in self._built:
                self._built[source] = self._build(source)
        return (*self._built[source], sample)

    def _build(self, source: str) -> Tuple[Optional[Compose], Compose]:
        """Build the steps up to the sampler of clips, and the others."""
        steps = adapt_steps(self.steps, source)
        names = [step_name(step) for step in steps]
        known = (*SAMPLERS, *SINGLE)
        places = [i for i, name in enumerate(names, 1) if name in known]
        # Built under the scope of the host, whatever ran before.
        with DefaultScope.overwrite_default_scope('mmaction'):
            # Without a sampler, or with several, the choice of frames stays
            # unknown.
            if len(places) != 1:
                return None, Compose(steps)
            return Compose(steps[:places[0]]), Compose(steps[places[0]:])
