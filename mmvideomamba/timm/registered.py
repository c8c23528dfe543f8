"""The models that timm lists, and the published file of each."""
from typing import Any, Callable, Dict

from timm.models import (build_model_with_cfg, generate_default_cfgs,
                         register_model, resolve_pretrained_cfg)
from torch import nn

from ..checkpoints import PUBLISHED, locate
from ..checkpoints.published import FOLDER, REPOSITORY
from .image_model import TimmVideoMamba
from .weights import PATCH_CONV, filter_pretrained

# Architectures to the sides of their images, in pixels.
SIDES = dict(
    tiny=(224, 448, 576),
    small=(224, 448, 576),
    middle=(224, 448, 576),
    base=(224, ))
_FILES = {
    (row.arch, row.size): row.name
    for row in PUBLISHED.values() if row.task == 'image-classification'
}


def _cfg(arch: str, side: int) -> Dict[str, Any]:
    """Describe an image model as timm does; the test is the published one."""
    cfg: Dict[str, Any] = dict(
        input_size=(3, side, side),
        # The table of positions is of a single size.
        fixed_input_size=True,
        num_classes=1000,
        # 224 of 256 pixels, as in the published test.
        crop_pct=0.875,
        interpolation='bicubic',
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        first_conv=PATCH_CONV,
        classifier='head',
        paper_ids='arXiv:2403.06977')
    if (arch, side) in _FILES:
        cfg.update(hf_hub_id=REPOSITORY, hf_hub_filename=_FILES[arch, side])
    return cfg


def _key(arch: str, side: int) -> str:
    # A tag of timm names weights: without a file, no tag.
    tag = '.in1k' if (arch, side) in _FILES else ''
    return f'videomamba_{arch}_patch16_{side}{tag}'


# register_model reads the variable of this name.
default_cfgs = generate_default_cfgs({
    _key(arch, side): _cfg(arch, side)
    for arch, sides in SIDES.items()
    for side in sides
})


def _build(name: str, arch: str, pretrained: bool,
           kwargs: Dict[str, Any]) -> nn.Module:
    """Build a model, or what gives its features, and load weights."""
    # Another architecture by choice as for any model of timm.
    kwargs.setdefault('arch', arch)
    if kwargs.get('features_only'):
        if kwargs.get('num_frames', 1) > 1:
            raise ValueError('features_only gives maps (b, c, h, w), which a '
                             'model of clips has not; call its '
                             "forward_intermediates with output_fmt='NLC'")
        if kwargs.get('feature_cls', 'getter') != 'getter':
            raise ValueError('features_only takes the features from '
                             "forward_intermediates: feature_cls='getter', "
                             f"not {kwargs['feature_cls']!r}")
    if pretrained:
        cfg = resolve_pretrained_cfg(name, kwargs.get('pretrained_cfg'),
                                     kwargs.get('pretrained_cfg_overlay'))
        elsewhere = (
            cfg.source or cfg.state_dict or cfg.file
            or kwargs.get('cache_dir'))
        if cfg.hf_hub_id == REPOSITORY and not elsewhere:
            # One line instead of timm's traceback of a missing network.
            file = locate(f'{FOLDER}/{cfg.hf_hub_filename}')
            kwargs['pretrained_cfg_overlay'] = dict(
                kwargs.get('pretrained_cfg_overlay') or {}, file=str(file))
    return build_model_with_cfg(
        TimmVideoMamba,
        name,
        pretrained,
        pretrained_filter_fn=filter_pretrained,
        # 3 outputs by default, as of timm's transformers.
        feature_cfg=dict(
            out_indices=kwargs.pop('out_indices', 3), feature_cls='getter'),
        **kwargs)


def _register(name: str, arch: str) -> Callable[..., nn.Module]:
    """Register the function that ``timm.create_model`` calls for a name."""

    def build(pretrained: bool = False, **kwargs: Any) -> nn.Module:
        return _build(name, arch, pretrained, kwargs)

    # register_model takes the name of the function.
    build.__name__ = build.__qualname__ = name
    build.__doc__ = f'VideoMamba, arch {arch!r}, as an image model of timm.'
    return register_model(build)


for _arch, _sides in SIDES.items():
    for _side in _sides:
        _register(f'videomamba_{_arch}_patch16_{_side}', _arch)
