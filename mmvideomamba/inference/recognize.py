"""A single video, for the host's ``inference_recognizer``."""
import functools
import logging
from typing import Any, Callable, Optional

from mmaction.structures import ActionDataSample
from mmengine.logging import print_log

from .inputs import SOURCES, Input, list_inputs, pack_input
from .predict import predict
from .video_inference import VideoInference
from .views import Views

_NO_PIPELINE = ('the config has neither a test_dataloader with a pipeline nor '
                'a test_pipeline; write one of them')


def test_data_set(cfg: Any) -> dict:
    """Return the config of the data set of a test.

    Args:
        cfg (Config): Of a recognizer or classifier.

    Returns:
        dict: The innermost data set of ``test_dataloader``, empty without
        any.
    """
    data = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'pipeline' not in data and isinstance(data.get('dataset'), dict):
        data = data['dataset']
    return data


@functools.lru_cache(maxsize=None)
def _tell_difference(filename: str) -> None:
    """Say once that a config has two test pipelines."""
    print_log(
        f'{filename}: test_pipeline differs from the pipeline of '
        'test_dataloader. inference_recognizer takes test_pipeline, as the '
        'host does; tools/test.py and the inferencers take that of '
        'test_dataloader, and may score otherwise', 'current', logging.WARNING)


def _inference(model: Any, views: Views) -> VideoInference:
    """Set up the inference of a model from ``init_recognizer``."""
    cfg = model.cfg
    data_set = test_data_set(cfg)
    # In the order of the host's function; ``build_inference`` has the order of
    # the host's inferencer.
    steps = cfg.get('test_pipeline') or data_set.get('pipeline')
    if not steps:
        raise ValueError(_NO_PIPELINE)
    if steps != data_set.get('pipeline', steps):
        _tell_difference(str(getattr(cfg, 'filename', None) or 'the config'))
    return VideoInference(model, steps, data_set, views)


def build_inference(model: Any,
                    cfg: Any,
                    input_format: str = 'video',
                    pack_cfg: Optional[dict] = None) -> VideoInference:
    """Set up the inference of an inferencer.

    Args:
        model (nn.Module): A recognizer.
        cfg (Config): With a ``test_dataloader``, or a ``test_pipeline``.
        input_format (str): See ``list_inputs``. Defaults to 'video'.
        pack_cfg (dict, optional): See ``VideoPipeline``. Defaults to None.

    Returns:
        VideoInference: On all views.

    Raises:
        ValueError: If there is no pipeline, or an argument is unknown.
    """
    data_set = test_data_set(cfg)
    steps = data_set.get('pipeline') or cfg.get('test_pipeline')
    if not steps:
        raise ValueError(_NO_PIPELINE)
    return VideoInference(
        model, steps, data_set, input_format=input_format, pack_cfg=pack_cfg)


def _one_input(video: Any) -> Input:
    """Return the only video of an input."""
    inputs = list_inputs(video)
    if len(inputs) > 1:
        raise ValueError(
            f'{len(inputs)} videos are given, but inference_recognizer takes '
            'one; MMAction2Inferencer takes lists and folders of videos')
    return inputs[0]


def recognize(model: Any,
              video: Any,
              test_pipeline: Optional[Callable] = None,
              views: Views = 'all') -> ActionDataSample:
    """Score a video.

    Args:
        model (nn.Module): From ``init_recognizer``.
        video (Any): A video, see ``list_inputs``.
        test_pipeline (Callable, optional): Pipeline from the sample of a
            video to the packed sample. Defaults to None, that of the config.
        views (str | int): 'all', 'one' or a number, see ``views``. Defaults
            to 'all'.

    Returns:
        ActionDataSample: With ``pred_score``, of a classifier with
        ``pred_label``, and in the metainfo ``pred_class`` (list[str]) if the
        names of the classes are known.

    Raises:
        MediaError: If the video cannot be read.
        ValueError: If there are several videos, or ``views`` is unknown or
            given with a ``test_pipeline``.
    """
    if test_pipeline is None:
        inference = _inference(model, views)
        batch, = inference.batches([_one_input(video)], 1)
        return inference.forward(batch)[0]
    if views != 'all':
        raise ValueError(f'views={views!r} and a test_pipeline are given; the '
                         'pipeline says how many views are taken')
    # A dict without a source is a sample for the given pipeline.
    known = not isinstance(video, dict) or any(key in video for key in SOURCES)
    sample = pack_input(_one_input(video)) if known else video
    return predict(model, [test_pipeline(sample)])[0]
