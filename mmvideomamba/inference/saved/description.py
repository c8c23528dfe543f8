"""Facts about a model, as plain values for JSON."""
from typing import Any, Dict, List, Mapping, Optional

from mmengine.config import Config
from torch import Tensor, nn

from mmvideomamba.checkpoints import FORMAT, LIBRARY
from mmvideomamba.models import (VideoMamba, VideoTextClassifier, VideoTextMC,
                                 VideoTextModel, VideoTextQA)
from mmvideomamba.version import __version__
from ..class_names import class_names
from ..recognize import test_data_set
from .sampling_rule import sampling_rule

UNKNOWN = 'unknown'
TASKS = ('video-classification', 'video-regression', 'image-classification',
         'video-text-retrieval', 'video-multiple-choice',
         'video-question-answering', 'prompt-classification',
         'feature-extraction')
_KEYS = ('format', 'library', 'library_version', 'task', 'classes', 'licence',
         'results', 'input', 'sampling', 'average', 'probability')
# The first class that fits decides.
_VIDEO_TEXT = ((VideoTextClassifier, 'prompt-classification'),
               (VideoTextMC, 'video-multiple-choice'),
               (VideoTextQA, 'video-question-answering'),
               (VideoTextModel, 'video-text-retrieval'))


def find_backbone(model: nn.Module) -> VideoMamba:
    """Find the VideoMamba of a model.

    Args:
        model (nn.Module): A recognizer, image classifier or video-text model,
            or a backbone; adapters may lie around the backbone.

    Returns:
        VideoMamba: The backbone.

    Raises:
        ValueError: If the model has no VideoMamba, or is of another kind.
    """
    if isinstance(model, VideoMamba):
        return model
    tower = getattr(model, 'vision_encoder', model)
    part = getattr(tower, 'backbone', None)
    for module in part.modules() if isinstance(part, nn.Module) else ():
        if isinstance(module, VideoMamba):
            return module
    raise ValueError(
        f'{type(model).__name__} has no VideoMamba as its backbone; give a '
        'recognizer, an image classifier or a video-text model with one')


def task_of(model: nn.Module) -> str:
    """Name the task of a model.

    Args:
        model (nn.Module): As for ``find_backbone``.

    Returns:
        str: Entry of ``TASKS``.

    Raises:
        ValueError: If the model serves for a training alone, like a
            masked pretraining.
    """
    if isinstance(model, VideoMamba):
        return 'feature-extraction'
    for kind, task in _VIDEO_TEXT:
        if isinstance(model, kind):
            return task
    head = getattr(model, 'cls_head', None)
    if head is not None:
        number = getattr(head, 'predicts_number', False)
        return 'video-regression' if number else 'video-classification'
    if getattr(getattr(model, 'head', None), 'num_classes', None):
        return 'image-classification'
    raise ValueError(
        f'{type(model).__name__} neither classifies nor compares with texts; '
        'save its backbone instead: VideoMamba.from_pretrained(CHECKPOINT)'
        '.save_pretrained(FOLDER)')


def _numbers(value: Any, default: float) -> List[float]:
    """Return three numbers, for the channels."""
    found = value.flatten().tolist() if isinstance(value,
                                                   Tensor) else [default]
    return [float(x) for x in (found * 3 if len(found) == 1 else found)]


def describe_input(model: nn.Module, task: str) -> Dict[str, Any]:
    """Describe the frames for a model.

    Args:
        model (nn.Module): As for ``find_backbone``.
        task (str): Of ``task_of``.

    Returns:
        dict: ``frames``, ``height``, ``width`` (int); ``channels``, 'RGB' or
        'BGR', the order of colours for the network; ``mean`` and ``std``
        (list[float]) of values from 0 to 255, in the same order.

    Raises:
        ValueError: See ``find_backbone``.
    """
    backbone = find_backbone(model)
    height, width = backbone.img_size
    host = getattr(model, 'data_preprocessor', None)
    swapped = bool(
        getattr(host, 'to_rgb', False)
        or getattr(host, '_channel_conversion', False))
    # Images are loaded in BGR by mmpretrain, frames are decoded in RGB.
    rgb = swapped == (task == 'image-classification') or host is None
    return dict(
        frames=backbone.num_frames,
        height=height,
        width=width,
        channels='RGB' if rgb else 'BGR',
        mean=_numbers(getattr(host, 'mean', None), 0.),
        std=_numbers(getattr(host, 'std', None), 1.))


def _results(meta: Mapping[str, Any]) -> Dict[str, Any]:
    """Tell where the weights come from, with the accuracy if known."""
    if meta.get('results'):
        return dict(meta['results'])
    steps = {key: int(meta[key]) for key in ('epoch', 'iter') if key in meta}
    return dict(source='run', **steps) if steps else dict(source=UNKNOWN)


def describe(model: nn.Module,
             cfg: Optional[Config] = None,
             meta: Optional[dict] = None) -> Dict[str, Any]:
    """Describe a model, for saved folders and exported files.

    Args:
        model (nn.Module): A recognizer, image classifier or video-text model
            on a VideoMamba, or a VideoMamba alone.
        cfg (Config, optional): Of the training or test; the test pipeline
            gives the sampling rule. Defaults to None.
        meta (dict, optional): ``meta`` of a checkpoint: ``dataset_meta``,
            ``epoch`` and ``iter``, and besides
            ``licence`` (str) and ``results`` (dict with ``source``, 'run' or
            'published'). Defaults to None.

    Returns:
        dict: Plain values for JSON. ``format`` (int), ``library``,
        ``library_version``, ``task`` (of ``TASKS``), ``licence``;
        ``classes`` (list[str], or None); ``results`` (dict); ``input``, see
        ``describe_input``; ``sampling`` (dict, or None without a pipeline);
        ``average`` ('prob', 'score' or None), how views are averaged;
        ``probability`` ('softmax', 'sigmoid' for several classes at once, or
        None).

    Raises:
        ValueError: If the model has no VideoMamba, or serves for a training
            alone.
    """
    meta = dict(meta or {})
    if isinstance(model, VideoMamba):
        config = model.hub_config()
        found = {key: config[key] for key in _KEYS}
        if meta:
            found.update(
                licence=str(meta.get('licence') or found['licence']),
                results=_results(meta))
        return found
    data_set = test_data_set(cfg) if cfg is not None else {}
    steps = data_set.get('pipeline') or (cfg or {}).get('test_pipeline') or []
    task = task_of(model)
    head = getattr(model, 'cls_head', None)
    classes = probability = None
    if task in ('video-classification', 'image-classification'):
        known = meta.get('dataset_meta') or getattr(model, 'dataset_meta',
                                                    None)
        classes = class_names(model, data_set, known)
        several = getattr(head, 'multi_class', False) or type(
            getattr(model, 'head', None)).__name__.startswith('MultiLabel')
        probability = 'sigmoid' if several else 'softmax'
    return dict(
        format=FORMAT,
        library=LIBRARY,
        library_version=__version__,
        task=task,
        classes=classes,
        licence=str(meta.get('licence') or UNKNOWN),
        results=_results(meta),
        input=describe_input(model, task),
        sampling=sampling_rule(steps, data_set) if steps else None,
        average=getattr(head, 'average_clips', None),
        probability=probability)
