"""Let the hosts turn bfloat16 scores into numpy arrays."""
import functools
import importlib
import types
from typing import Any, Callable, Dict, Tuple

from .workaround import Workaround, installed_version

_Wide = Callable[[Any], Any]
_Heal = Callable[[Any, str, _Wide], None]


def _widener() -> _Wide:
    """Return a function from bfloat16 tensors, also in dicts, to float32."""
    # Once for each module: the compiler of torch should meet no import.
    torch = importlib.import_module('torch')

    def wide(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.float() if value.dtype == torch.bfloat16 else value
        if isinstance(value, dict):
            return {key: wide(one) for key, one in value.items()}
        # No subclass: a named tuple is built in another way.
        if type(value) in (list, tuple):
            return type(value)([wide(one) for one in value])
        return value

    return wide


def _heal_scores(host: Any, method: str, wide: _Wide) -> None:
    """Widen the scores given to a method of a head."""
    original = getattr(host, method)

    @functools.wraps(original)
    def widened(self: Any, cls_scores: Any, *args: Any, **kwargs: Any) -> Any:
        return original(self, wide(cls_scores), *args, **kwargs)

    setattr(host, method, widened)


def _heal_metric(host: Any, method: str, wide: _Wide) -> None:
    """Widen all tensors in the samples given to a metric."""
    original = getattr(host, method)

    @functools.wraps(original)
    def process(self: Any, data_batch: Any, data_samples: Any) -> None:
        original(self, data_batch, [wide(sample) for sample in data_samples])

    setattr(host, method, process)


def _heal_results(host: Any, method: str, wide: _Wide) -> None:
    """Widen the scores of samples, whose values an inferencer returns."""
    original = getattr(host, method)

    def widened(sample: Any) -> Any:
        if 'pred_score' in sample:
            # The user may keep the sample of the model.
            sample = sample.new()
            sample.pred_score = wide(sample.pred_score)
        return sample

    @functools.wraps(original)
    def postprocess(self: Any,
                    preds: Any,
                    visualization: Any,
                    return_datasamples: bool = False) -> Any:
        if not return_datasamples:
            preds = [widened(sample) for sample in preds]
        return original(self, preds, visualization, return_datasamples)

    setattr(host, method, postprocess)


def _heal_tags(host: Any, method: str, wide: _Wide) -> None:
    """Widen the logits of tags."""
    original = getattr(host, method)

    @functools.wraps(original)
    def tag_process(self: Any, logits: Any) -> Any:
        return original(self, wide(logits))

    setattr(host, method, tag_process)


def _heal_output(host: Any, method: str, wide: _Wide) -> None:
    """Widen the maps of a localizer's layers."""
    original = getattr(host, method)

    @functools.wraps(original)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wide(original(self, *args, **kwargs))

    setattr(host, method, forward)


def _heal_softmax(module: types.ModuleType, wide: _Wide) -> None:
    """Let a module compute softmax in float32, as autocast does on a GPU."""
    original = module.F.softmax

    @functools.wraps(original)
    def softmax(input: Any, *args: Any, **kwargs: Any) -> Any:
        return original(wide(input), *args, **kwargs)

    # A copy of the functions: all modules share torch's own.
    functions = types.ModuleType(module.F.__name__)
    vars(functions).update(vars(module.F), softmax=softmax)
    module.__dict__['F'] = functions


_CHOICE = 'mmaction.models.multimodal.vindlu.vindlu_ret_mc'

# By module of a host: a class, a method and the cure of the method.
_PLACES: Dict[str, Tuple[Tuple[str, str, _Heal], ...]] = {
    'mmaction.models.heads.base': (('BaseHead', 'loss_by_feat', _heal_scores),
                                   ('BaseHead', 'predict_by_feat',
                                    _heal_scores)),
    'mmaction.models.heads.omni_head': (('OmniHead', 'loss_by_feat',
                                         _heal_scores), ),
    'mmaction.models.heads.rgbpose_head':
    (('RGBPoseHead', 'loss_by_feat', _heal_scores),
     ('RGBPoseHead', 'predict_by_feat', _heal_scores)),
    'mmaction.models.localizers.bmn': (('BMN', '_forward', _heal_output), ),
    'mmaction.models.localizers.bsn': (('TEM', '_forward', _heal_output),
                                       ('PEM', '_forward', _heal_output)),
    'mmaction.evaluation.metrics.acc_metric': (('AccMetric', 'process',
                                                _heal_metric), ),
    'mmaction.evaluation.metrics.ava_metric': (('AVAMetric', 'process',
                                                _heal_metric), ),
    'mmaction.evaluation.metrics.multisports_metric':
    (('MultiSportsMetric', 'process', _heal_metric), ),
    'mmaction.evaluation.metrics.retrieval_metric':
    (('RetrievalMetric', 'process', _heal_metric), ),
    'mmpretrain.apis.image_classification': (('ImageClassificationInferencer',
                                              'postprocess', _heal_results), ),
    'mmpretrain.apis.nlvr': (('NLVRInferencer', 'postprocess',
                              _heal_results), ),
    'mmpretrain.models.multimodal.ram.ram':
    (('RAMNormal', 'tag_process', _heal_tags), ('RAMOpenset', 'tag_process',
                                                _heal_tags)),
}


def _cause() -> str:
    torch = importlib.import_module('torch')
    try:
        torch.zeros(1, dtype=torch.bfloat16).numpy()
    except TypeError:
        hosts = ' and '.join(f'{name} {version}'
                             for name, version in ((name,
                                                    installed_version(name))
                                                   for name in ('mmaction2',
                                                                'mmpretrain'))
                             if version)
        return hosts and (f'torch {torch.__version__} makes no numpy array '
                          f'of bfloat16, and {hosts} asks for arrays of '
                          'scores')
    return ''


def _cure(module: types.ModuleType) -> None:
    """Turn bfloat16 scores into float32 before a host makes arrays of them.

    Each bfloat16 number is a float32 number, too: no score changes.
    """
    wide = _widener()
    if module.__name__ == _CHOICE:
        _heal_softmax(module, wide)
    for name, method, heal in _PLACES.get(module.__name__, ()):
        heal(getattr(module, name), method, wide)


WORKAROUND = Workaround(
    name='bfloat16_scores',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/'
    'models/heads/base.py',
    until='a release of torch with numpy arrays of bfloat16, or hosts that '
    'convert scores first',
    modules=(*_PLACES, _CHOICE),
    cure=_cure)
