"""Files of a BERT: names, config, and the fit to a text tower."""
import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Union

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmvideomamba.json_file import read_json
from .hub_folder import find_weights, is_hub_name, read_weights
from .unwrap import unwrap

WORDS = 'embeddings.word_embeddings.weight'
_HEAD, _SHARED = 'cls.predictions.', 'cls.predictions.decoder.'
# Names of wrappers around a BERT.
_WRAPPERS = ('', 'bert', 'text_encoder', 'encoder', 'model', 'auto_model')
# The first releases of BERT name the parts of a norm gamma and beta.
_OLD_NORM = re.compile(r'(LayerNorm\.)(gamma|beta)$')
# A count 0, 1, 2, ..., and heads unused by a text tower.
_HARMLESS = re.compile(r'bert\.(embeddings\.(position_ids|token_type_ids)|'
                       r'pooler\.dense\.(weight|bias))|'
                       r'cls\.seq_relationship\.(weight|bias)')
_LAYER = re.compile(r'bert\.encoder\.layer\.(\d+)\.')
# Sizes in a config, and the defaults of transformers.
_SIZES: Dict[str, Any] = dict(
    vocab_size=30522,
    hidden_size=768,
    num_hidden_layers=12,
    num_attention_heads=12,
    intermediate_size=3072,
    hidden_act='gelu',
    max_position_embeddings=512,
    type_vocab_size=2,
    layer_norm_eps=1e-12)
# Entries of a config that change the computation, with the only values of a
# text tower.
BERT_FIXED: Dict[str, Any] = dict(
    position_embedding_type='absolute',
    is_decoder=False,
    add_cross_attention=False,
    is_encoder_decoder=False,
    pruned_heads={},
    tie_word_embeddings=True)


class BertFile(NamedTuple):
    """The weights of a BERT.

    Args:
        weights (dict[str, Tensor]): Named ``bert.*`` and ``cls.*``.
        left_out (list[str]): Names of other heads in the file.
    """
    weights: Dict[str, Tensor]
    left_out: List[str]


def _new_norm(found: re.Match) -> str:
    return found[1] + dict(gamma='weight', beta='bias')[found[2]]


def read_bert(path: Union[str, Path]) -> BertFile:
    """Read a BERT from a file of torch or safetensors, or a folder.

    Args:
        path (str | Path): File, index of shards, or folder of Hugging Face.

    Returns:
        BertFile: On the CPU.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If a file cannot be used, or holds another model.
    """
    state = unwrap(read_weights(path))
    prefixes = [
        k[:-len(WORDS)] for k in state if f'.{k}'.endswith(f'.{WORDS}')
    ]
    if len(prefixes) != 1:
        raise ValueError(f'{path} holds no BERT, or several: {WORDS} is there '
                         f'{len(prefixes)} times (the first tensor is '
                         f'{next(iter(state), "nothing")!r})')
    outer, _, last = prefixes[0].rstrip('.').rpartition('.')
    foreign = [k for k in state if k.startswith(('lm_head.', 'roberta.'))]
    if last not in _WRAPPERS or foreign:
        raise ValueError(f'{path} holds another model than BERT, as '
                         f'{(foreign or prefixes)[0]!r} tells: RoBERTa and '
                         'others count places and kinds of tokens in other '
                         'ways; take a file of BERT')
    bare = last != 'bert'
    outer = prefixes[0] if bare else f'{outer}.' if outer else ''
    weights: Dict[str, Tensor] = {}
    left_out = []
    for key, value in state.items():
        name = key[len(outer):]
        if bare and not name.startswith('cls.'):
            name = f'bert.{name}'
        if key.startswith(outer) and name.startswith(('bert.', 'cls.')):
            name = _OLD_NORM.sub(_new_norm, name)
            if name in weights:
                raise ValueError(f'{path} holds {name} twice, under its old '
                                 'name as well; get the file anew')
            weights[name] = value
        else:
            left_out.append(key)
    if _counts_from_two(weights):
        raise ValueError(f'{path} holds another model than BERT, as the zeros '
                         'at place 1 tell: RoBERTa and others count places '
                         'from 2 on; take a file of BERT')
    kept = {k: v for k, v in weights.items() if not _HARMLESS.fullmatch(k)}
    return BertFile(kept, left_out)


def _counts_from_two(weights: Mapping[str, Tensor]) -> bool:
    """Tell whether the first places are unused, those of padding."""
    # RoBERTa keeps place 1 for padding, a row that stays zero, and shares all
    # names of tensors with BERT.
    places = weights.get('bert.embeddings.position_embeddings.weight')
    return (places is not None and places.dim() == 2 and bool(places[2:].any())
            and not places[1].any())


def describe_bert(weights: Mapping[str, Tensor]) -> Dict[str, int]:
    """Return the sizes shown by the tensors of a BERT.

    Args:
        weights (Mapping[str, Tensor]): Named ``bert.*``.

    Returns:
        dict[str, int]: By the names of a ``config.json``.
    """
    layers = {m[1] for m in map(_LAYER.match, weights) if m}
    shapes = dict(
        vocab_size=('word_embeddings', 0),
        hidden_size=('word_embeddings', 1),
        max_position_embeddings=('position_embeddings', 0),
        type_vocab_size=('token_type_embeddings', 0))
    sizes = {
        name: weights[f'bert.embeddings.{part}.weight'].shape[axis]
        for name, (part, axis) in shapes.items()
        if f'bert.embeddings.{part}.weight' in weights
    }
    inner = weights.get('bert.encoder.layer.0.intermediate.dense.weight')
    if inner is not None:
        sizes['intermediate_size'] = inner.shape[0]
    return dict(sizes, num_hidden_layers=len(layers))


def _say_unknown(path: Union[str, Path], why: str) -> None:
    """Log that no config tells the sizes without a tensor."""
    print_log(
        f'{path}: {why}; heads and activation, shown by no tensor, are those '
        'of arch', 'current')


def check_bert_config(path: Union[str, Path], sizes: Mapping[str,
                                                             Any]) -> None:
    """Compare the ``config.json`` next to weights with a text tower.

    Args:
        path (str | Path): Weights or folder, see ``read_bert``.
        sizes (Mapping[str, Any]): Of the tower, by the names in the config.

    Raises:
        ValueError: If the config is of another model or of other sizes.
    """
    # Heads and activation are shown by no tensor.
    file = find_weights(path)
    config = (file if file.is_dir() else file.parent) / 'config.json'
    if not config.is_file():
        if file.is_file():
            _say_unknown(path, 'no config.json lies next to the weights')
        return
    content = read_json(config, 'config', 'get it anew')
    kind = None
    if isinstance(content, dict):
        # The first files of a BERT do not name the model.
        first = 'bert' if 'num_hidden_layers' in content else None
        kind = content.get('model_type', first)
    if kind != 'bert':
        if is_hub_name(file.name):
            raise ValueError(f'{config} next to the weights is of model_type '
                             f'{kind!r}, but a text tower takes a BERT')
        # Of another model in the same folder, by the name of the file.
        _say_unknown(
            path, 'config.json next to the weights is of model_type '
            f'{kind!r} and not read')
        return
    wrong = [
        f'{name} is {content[name]!r}, not {value!r}'
        for name, value in BERT_FIXED.items()
        if content.get(name, value) != value
    ]
    if wrong:
        raise ValueError(f'{config}: {"; ".join(wrong)}, as in the text '
                         'tower; take another BERT')
    found = {k: content.get(k, value) for k, value in _SIZES.items()}
    differ = [k for k, v in found.items() if v != sizes[k]]
    if differ:
        named = ', '.join(f'{k} is {found[k]!r}, but {sizes[k]!r} in the '
                          'tower' for k in differ)
        raise ValueError(f'{config}: {named}. Set arch of the text tower to '
                         f'{str(config.parent)!r}, the folder of the config')


def _tie(weights: Dict[str, Tensor], own: Mapping[str, Tensor],
         path: Union[str, Path]) -> None:
    """Fill the tensors shared by the word head, in place."""
    sources = {
        f'{_SHARED}weight': f'bert.{WORDS}',
        f'{_SHARED}bias': f'{_HEAD}bias'
    }
    for name, source in sources.items():
        if source not in weights or name not in own:
            continue
        if name in weights and not torch.equal(weights[name], weights[source]):
            raise ValueError(f'{path}: {name} differs from {source}, but the '
                             'text tower shares them; take a BERT with '
                             'tie_word_embeddings')
        weights[name] = weights[source]


def _misfits(weights: Mapping[str, Tensor], own: Mapping[str,
                                                         Tensor]) -> List[str]:
    """Name misfits; the word head and cross-attention may be absent."""
    optional = [
        part for part in ('.crossattention.', _HEAD)
        if not any(part in k for k in weights)
    ]
    missing = [
        k for k in own
        if k not in weights and not any(part in k for part in optional)
    ]
    unknown = [k for k in weights if k not in own]
    shapes = [
        f'{k} {tuple(weights[k].shape)} against {tuple(own[k].shape)}'
        for k in own if k in weights and weights[k].shape != own[k].shape
    ]
    found, wanted = describe_bert(weights), describe_bert(own)
    sizes = [
        f'{k} is {v} in the file, {wanted.get(k)} in the tower'
        for k, v in found.items() if v != wanted.get(k)
    ]
    kinds = (('tensors are missing', missing),
             ('tensors have no place', unknown), ('shapes differ', shapes))
    return sizes + [
        f'{len(names)} {what}, such as {names[0]}'
        for what, names in kinds if names
    ]


def fit_bert(path: Union[str, Path], own: Mapping[str, Tensor],
             sizes: Mapping[str, Any]) -> Dict[str, Tensor]:
    """Read the weights of a BERT for a text tower, all of them or none.

    Cross-attention and word head start fresh where the file has none; one
    line of the log says so, and names the heads left out.

    Args:
        path (str | Path): File or folder, see ``read_bert``.
        own (Mapping[str, Tensor]): State dict of the tower.
        sizes (Mapping[str, Any]): Of the tower, see ``check_bert_config``.

    Returns:
        dict[str, Tensor]: Tensors under the names of the tower.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file or the config next to the file does not fit.
    """
    check_bert_config(path, sizes)
    file = read_bert(path)
    weights = dict(file.weights)
    left_out = list(file.left_out)
    # A tower without mlm has no word head.
    if not any(k.startswith(_HEAD) for k in own):
        left_out += [k for k in weights if k.startswith(_HEAD)]
        weights = {k: v for k, v in weights.items() if not k.startswith(_HEAD)}
    _tie(weights, own, path)
    # _tie shares the weight of the words also where the file has no head, and
    # a weight alone would count as half a head.
    if _HEAD + 'bias' not in weights:
        weights.pop(f'{_SHARED}weight', None)
    integers = [k for k, v in weights.items() if not v.is_floating_point()]
    problems = _misfits(weights, own)
    if integers:
        problems.append(f'{integers[0]} is {weights[integers[0]].dtype}')
    if problems:
        raise ValueError(
            f'{path} does not fit the text tower: {"; ".join(problems)}. Set '
            'arch and fusion_layer to those of the file')
    _log(path, weights, own, left_out)
    return weights


def _log(path: Union[str, Path], weights: Mapping[str, Tensor],
         own: Mapping[str, Tensor], left_out: List[str]) -> None:
    """Report in one line the tensors taken, fresh and left out."""
    fresh = [k for k in own if k not in weights]
    cross = sum('.crossattention.' in k for k in fresh)
    parts = [
        f'{path} fills {len(weights)} of {len(own)} tensors of the text '
        'tower'
    ]
    if cross:
        parts.append(f'cross-attention ({cross} tensors) starts fresh')
    if len(fresh) > cross:
        parts.append('the word head starts fresh')
    if left_out:
        parts.append(f'left out: {", ".join(left_out[:4])}'
                     f'{", ..." if len(left_out) > 4 else ""}')
    print_log('; '.join(parts), 'current')
