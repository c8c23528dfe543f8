"""Let mmaction2's ``inference_recognizer`` take inputs of any kind."""
import functools
import importlib
from typing import Any

from .workaround import Workaround, installed_version


def _heal_inference(module: Any) -> None:
    original, load = module.inference_recognizer, module.load_checkpoint

    def _ours() -> Any:
        # Not at the top: the room needs modules of the host.
        return importlib.import_module('mmvideomamba.inference')

    @functools.wraps(original)
    def inference_recognizer(model: Any,
                             video: Any,
                             test_pipeline: Any = None,
                             views: Any = None) -> Any:
        if _ours().is_ours(model):
            return _ours().recognize(model, video, test_pipeline,
                                     'all' if views is None else views)
        if views is not None:
            raise ValueError(f'views={views!r} needs a model of mmvideomamba')
        return original(model, video, test_pipeline)

    @functools.wraps(load)
    def load_checkpoint(model: Any, *args: Any, **kwargs: Any) -> Any:
        # init_recognizer drops the content of the file, and the names of the
        # classes with the content.
        checkpoint = load(model, *args, **kwargs)
        meta = checkpoint.get('meta', {}).get('dataset_meta')
        if meta is not None and _ours().is_ours(model):
            model.dataset_meta = meta
        return checkpoint

    module.inference_recognizer = inference_recognizer
    # Called by init_recognizer.
    module.load_checkpoint = load_checkpoint


def _cause() -> str:
    version = installed_version('mmaction2')
    return version and (f'inference_recognizer of mmaction2 {version} takes '
                        'files only, and forgets the names of the classes')


def _cure(module: Any) -> None:
    """Let ``inference_recognizer`` take arrays, folders and cameras.

    For our models only. The host raises KeyError or RuntimeError for them,
    and keeps no names of classes.
    """
    _heal_inference(module)


WORKAROUND = Workaround(
    name='inference_recognizer',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/apis/'
    'inference.py',
    until='a release of mmaction2 that takes them',
    modules=('mmaction.apis.inference', ),
    cure=_cure)
