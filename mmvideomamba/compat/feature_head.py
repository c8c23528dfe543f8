"""Let mmaction2's feature head take the features of our backbones."""
import functools
import types
from typing import Any

from .workaround import Workaround, installed_version


def _single(features: tuple) -> Any:
    """Take the only entry of a tuple of features."""
    if len(features) != 1:
        raise ValueError(
            f'the backbone returns {len(features)} features, but a feature '
            'is extracted from one. Give out_indices a single block.')
    if features[0].ndim == 3:
        raise ValueError(
            "the backbone returns tokens (b, l, c), as with out_type='raw'. "
            "Set model.backbone.out_type to 'cls_token', 'avg_featmap' or "
            "'featmap'.")
    return features[0]


def _heal_feature_head(module: types.ModuleType) -> None:
    host = module.FeatureHead
    original = host.forward

    @functools.wraps(original)
    def forward(self: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        # The host itself pools both paths of SlowFast.
        if isinstance(x, tuple) and self.backbone_name != 'slowfast':
            x = _single(x)
        return original(self, x, *args, **kwargs)

    host.forward = forward


def _cause() -> str:
    version = installed_version('mmaction2')
    return version and f'mmaction2 {version} takes a tuple of SlowFast alone'


def _cure(module: types.ModuleType) -> None:
    """Let ``FeatureHead`` take a tuple of one feature.

    Each backbone of ours returns a tuple with an entry for each block of
    ``out_indices``.
    """
    _heal_feature_head(module)


WORKAROUND = Workaround(
    name='feature_head',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/'
    'models/heads/feature_head.py',
    until='a release of mmaction2 that takes a tuple of one feature',
    modules=('mmaction.models.heads.feature_head', ),
    cure=_cure)
