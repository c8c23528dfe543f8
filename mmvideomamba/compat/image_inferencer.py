"""Let mmpretrain's inferencer refuse bad images by name."""
import functools
import importlib
import types
from typing import Any

from .workaround import Workaround, installed_version


def _ours() -> Any:
    """Return our part for images, which needs modules of the host."""
    return importlib.import_module('mmvideomamba.inference.image_inference')


def _state(inferencer: Any) -> Any:
    """Return what reads and scores for an inferencer; None if the host."""
    return getattr(inferencer, 'image_inference', None)


def _heal_reading(host: Any) -> None:
    """Take inputs of any kind; errors name the image."""
    init, build = host.__init__, host._init_pipeline
    split, read, score = host._inputs_to_list, host.preprocess, host.forward

    @functools.wraps(init)
    def checked_init(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if _state(self) is not None and self.classes is not None:
            self.classes = _state(self).check_classes(self.classes)

    @functools.wraps(build)
    def init_pipeline(self: Any, cfg: Any) -> Any:
        pipeline = build(self, cfg)
        if importlib.import_module('mmvideomamba.inference.predict').is_ours(
                self.model):
            self.image_inference = _ours().ImageInference(
                self.model, cfg, pipeline)
        return pipeline

    @functools.wraps(split)
    def inputs_to_list(self: Any, inputs: Any) -> list:
        if _state(self) is None:
            return split(self, inputs)
        return _ours().list_images(inputs)

    @functools.wraps(read)
    def preprocess(self: Any, inputs: Any, batch_size: int = 1) -> Any:
        if _state(self) is None:
            return read(self, inputs, batch_size)
        return _state(self).batches(inputs, batch_size)

    @functools.wraps(score)
    def forward(self: Any, inputs: Any, **kwargs: Any) -> Any:
        if _state(self) is None:
            return score(self, inputs, **kwargs)
        return _state(self).forward(inputs)

    host.__init__, host._init_pipeline = checked_init, init_pipeline
    host._inputs_to_list, host.preprocess = inputs_to_list, preprocess
    host.forward = forward


def _heal_results(host: Any) -> None:
    """Keep the results of sound images in spite of bad images."""
    draw, finish = host.visualize, host.postprocess

    def values(self: Any, result: Any) -> dict:
        # A bad image has no scores, but a fault.
        found = None
        if 'pred_score' in result:
            found, = finish(self, [result], None)
        return _ours().image_values(result, found)

    @functools.wraps(draw)
    def visualize(self: Any, ori_inputs: Any, preds: Any,
                  **kwargs: Any) -> Any:
        if _state(self) is None:
            return draw(self, ori_inputs, preds, **kwargs)
        reading = importlib.import_module('mmvideomamba.inference.reading')
        texts = importlib.import_module('mmvideomamba.visualization.host_text')
        if self.visualizer is None:
            self.visualizer = importlib.import_module(
                'mmpretrain.visualization').UniversalVisualizer()
        with texts.our_texts(self.visualizer):
            return reading.for_readable(
                functools.partial(draw, self, **kwargs), ori_inputs, preds)

    @functools.wraps(finish)
    def postprocess(self: Any,
                    preds: Any,
                    visualization: Any,
                    return_datasamples: bool = False) -> Any:
        if _state(self) is None or return_datasamples:
            return finish(self, preds, visualization, return_datasamples)
        return [values(self, result) for result in preds]

    host.visualize, host.postprocess = visualize, postprocess


def _heal_inferencer(module: types.ModuleType) -> None:
    """Heal ``ImageClassificationInferencer``."""
    _heal_reading(module.ImageClassificationInferencer)
    _heal_results(module.ImageClassificationInferencer)


def _heal_function(module: types.ModuleType) -> None:
    """Let ``inference_model`` take our configs and models."""
    original: Any = module.inference_model

    @functools.wraps(original)
    def inference_model(model: Any, *args: Any, **kwargs: Any) -> Any:
        known = getattr(model, '_metainfo', None) is not None
        ours = importlib.import_module('mmvideomamba.inference.predict')
        if known or not (ours.is_ours(model) or _ours().is_our_config(model)):
            return original(model, *args, **kwargs)
        host = importlib.import_module('mmpretrain.apis')
        init = {
            key: kwargs.pop(key)
            for key in ('pretrained', 'device', 'classes') if key in kwargs
        }
        inferencer = host.ImageClassificationInferencer(model, **init)
        # As in the host, the first argument of the inferencer.
        given, rest = (args[:1] or (kwargs.pop('inputs'), )), args[1:]
        images = _ours().list_images(*given)
        if len(images) > 1:
            raise ValueError(
                f'{len(images)} images are given, but inference_model takes '
                'one; ImageClassificationInferencer takes lists and folders')
        return inferencer(images, *rest, **kwargs)[0]

    setattr(module, 'inference_model', inference_model)


def _cause() -> str:
    version = installed_version('mmpretrain')
    return version and (f'a bad image ends the inferencer of mmpretrain '
                        f'{version}, and the results of the others are lost')


def _cure(module: types.ModuleType) -> None:
    """Let the inferencer refuse bad images by name, and go on.

    For our models only. Of a list or folder with a bad image the host returns
    nothing; releases of OpenCV below 5 fill an image that was cut off with
    grey; ``inference_model`` knows the host's own models alone.
    """
    if module.__name__ == 'mmpretrain.apis.model':
        _heal_function(module)
    else:
        _heal_inferencer(module)


WORKAROUND = Workaround(
    name='image_inferencer',
    cause=_cause,
    link='https://github.com/open-mmlab/mmpretrain/blob/v1.2.0/mmpretrain/'
    'apis/image_classification.py',
    until='a release of mmpretrain that refuses them',
    modules=('mmpretrain.apis.image_classification', 'mmpretrain.apis.model'),
    cure=_cure)
