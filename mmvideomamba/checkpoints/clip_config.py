"""Settings of CLIP that no tensor shows: heads, activation, pooling.

``config.json`` of Hugging Face and ``open_clip_config.json`` tell them, and
lie next to the weights. Files converted by ours hold them.
"""
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Union

from mmvideomamba.json_file import read_json
from .hub_folder import find_weights, is_hub_name

# Entry of converted files.
SETTINGS = 'clip_tower'
CONFIG, OPEN_CLIP_CONFIG = 'config.json', 'open_clip_config.json'
_ARCH = ('width', 'num_layers', 'num_heads', 'patch_size', 'out_channels')
_FAMILIES = ('clip', 'chinese_clip', 'altclip', 'metaclip_2')
_ACTS = dict(
    quick_gelu='quick_gelu', gelu='gelu', gelu_python='gelu', GELU='gelu')
_EPS = 1e-5
# Settings of open_clip's towers: the value of OpenAI's CLIP, and the part
# that any other value adds.
_PLAIN: Dict[str, Any] = dict(
    ls_init_value=(None, 'LayerScale'),
    attentional_pool=(False, 'attentional pooling'),
    global_average_pool=(False, 'average pooling'),
    pool_type=('tok', 'another pooling'),
    final_ln_after_pool=(False, 'a norm after the pooling'),
    input_patchnorm=(False, 'a norm of the patches'),
    no_ln_pre=(False, 'no norm before the blocks'),
    pos_embed_type=('learnable', 'another position embedding'),
    timm_model_name=(None, 'a model of timm'),
    eva_model_name=(None, 'a model of EVA'),
    act_kwargs=({}, 'another activation'),
    norm_kwargs=({}, 'another norm'),
    block_type=(None, 'other blocks'),
    attn_type=(None, 'another attention'),
    qk_norm=(False, 'norms of queries and keys'),
    scaled_cosine=(False, 'cosine attention'))


class ClipConfig(NamedTuple):
    """The tower described next to or inside a file.

    Args:
        source (str): Name of the file with the description.
        values (dict[str, Any]): ``width``, ``num_layers``, ``num_heads``,
            ``patch_size``, ``out_channels`` and ``act``.
        others (list[str]): Parts unknown to our tower.
    """
    source: str
    values: Dict[str, Any]
    others: List[str]


def _of_hugging_face(path: Path, content: Dict[str, Any]) -> ClipConfig:
    """Translate a ``config.json``; a value left out is transformers'."""
    # Older releases of transformers write vision_config_dict.
    vision = content.get('vision_config') or content.get(
        'vision_config_dict') or content
    values = dict(
        width=vision.get('hidden_size', 768),
        num_layers=vision.get('num_hidden_layers', 12),
        num_heads=vision.get('num_attention_heads', 12),
        patch_size=vision.get('patch_size', 32),
        out_channels=content.get('projection_dim', 512),
        act=vision.get('hidden_act', 'quick_gelu'))
    others = _unusual(vision.get('image_size', 224), values)
    if vision.get('layer_norm_eps', _EPS) != _EPS:
        others.append(f'layer_norm_eps={vision["layer_norm_eps"]}')
    return ClipConfig(str(path), values, others)


def _of_open_clip(path: Path, content: Dict[str, Any]) -> ClipConfig:
    """Translate an ``open_clip_config.json``."""
    model = content['model_cfg']
    vision = model['vision_cfg']
    width = vision.get('width', 768)
    values = dict(
        width=width,
        num_layers=vision.get('layers', 12),
        # open_clip tells the width of a head, not the number of heads.
        num_heads=width // vision.get('head_width', 64),
        patch_size=vision.get('patch_size', 16),
        out_channels=model.get('embed_dim'),
        act='quick_gelu' if model.get('quick_gelu') else 'gelu')
    others = _unusual(vision.get('image_size', 224), values)
    others += [
        f'{name}={vision[name]!r} ({part})'
        for name, (plain, part) in _PLAIN.items()
        if vision.get(name) and vision[name] != plain
    ]
    return ClipConfig(str(path), values, others)


def _unusual(image_size: Any, values: Dict[str, Any]) -> List[str]:
    """Translate the activation in place; name shapes unknown to us."""
    found = []
    for name, value in (('image_size', image_size), ('patch_size',
                                                     values['patch_size'])):
        if isinstance(value, (list, tuple)):
            if len(set(value)) > 1:
                found.append(f'{name}={list(value)} (not square)')
            elif name == 'patch_size':
                values['patch_size'] = value[0]
    act = values['act']
    values['act'] = _ACTS.get(act, act)
    return found


def _read(path: Path, owned: bool) -> Optional[ClipConfig]:
    """Read a config; other models are refused next to owned weights."""
    content = read_json(path, 'config', 'get it anew')
    if not isinstance(content, dict):
        content = {}
    try:
        config = _translate(path, content)
    except (AttributeError, TypeError, ZeroDivisionError) as error:
        raise ValueError(f'{path} is not a config of a CLIP: {error}; get it '
                         'anew') from error
    if config is None and owned:
        raise ValueError(
            f'{path} next to the weights describes no CLIP, but model_type '
            f'{content.get("model_type")!r}: a CLIPTower takes those of '
            f'{list(_FAMILIES)}, and of open_clip')
    return config


def _translate(path: Path, content: Dict[str, Any]) -> Optional[ClipConfig]:
    """Translate a config; None for other models."""
    model = content.get('model_cfg')
    if isinstance(model, dict) and isinstance(model.get('vision_cfg'), dict):
        return _of_open_clip(path, content)
    kind = content.get('model_type')
    if isinstance(kind, str):
        family = kind[:-len('_vision_model')] if kind.endswith(
            '_vision_model') else kind
        if family in _FAMILIES:
            return _of_hugging_face(path, content)
    return None


def read_clip_config(weights: Union[str, Path]) -> Optional[ClipConfig]:
    """Read the config next to the weights of a CLIP.

    Args:
        weights (str | Path): File, index of shards, or folder.

    Returns:
        ClipConfig, optional: None where no config of a CLIP lies in the
        folder, and the file has a name of the user's.

    Raises:
        ValueError: If a config cannot be read, or is of another model.
    """
    path = find_weights(weights)
    folder = path if path.is_dir() else path.parent
    order = [CONFIG, OPEN_CLIP_CONFIG]
    # A folder may hold the configs of both libraries: the config of the
    # library that wrote the weights goes first.
    if path.name.startswith('open_clip'):
        order.reverse()
    for name in order:
        if (folder / name).is_file():
            # A file with another name may lie in the folder of another model.
            owned = is_hub_name(path.name) and name == order[0]
            config = _read(folder / name, owned)
            if config is not None:
                return config
    return None


def stored_clip_config(file: Any, path: Union[str, Path]) -> ClipConfig:
    """Return the settings inside a converted file.

    Args:
        file (Any): Content of the file.
        path (str | Path): Name of the file, for errors.

    Returns:
        ClipConfig: Without values where the file holds none.
    """
    stored = file.get(SETTINGS) if isinstance(file, dict) else None
    values = dict(stored) if isinstance(stored, dict) else {}
    return ClipConfig(str(path), values, [])


def check_clip_design(config: ClipConfig) -> None:
    """Refuse a CLIP with parts that a ``CLIPTower`` lacks.

    Args:
        config (ClipConfig): Description of the tower in a file.

    Raises:
        ValueError: If the tower has a part unknown to ``CLIPTower``.
    """
    others = list(config.others)
    act = config.values.get('act')
    if act is not None and act not in _ACTS:
        others.append(f'act={act!r}')
    if others:
        raise ValueError(
            f'{config.source} describes a tower with {", ".join(others)}, '
            'which a CLIPTower lacks: take another CLIP')


def check_clip_config(config: ClipConfig, own: Dict[str, Any]) -> None:
    """Compare the description of a file with a tower.

    Args:
        config (ClipConfig): Description of the tower in the file.
        own (dict[str, Any]): ``CLIPTower.settings``.

    Raises:
        ValueError: If a value differs, or the file has a part of its own.
    """
    check_clip_design(config)
    values = config.values
    wrong = [
        f'{name} is {value!r}, but {own[name]!r} in the tower'
        for name, value in values.items()
        if value is not None and value != own[name]
    ]
    if wrong:
        arch = {name: values.get(name, own[name]) for name in _ARCH}
        raise ValueError(f'{config.source}: {"; ".join(wrong)}. Set '
                         f'arch={arch} and act={values.get("act")!r} of the '
                         'tower, or one of the named archs')
