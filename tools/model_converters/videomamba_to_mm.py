"""Convert a published VideoMamba file to a checkpoint of ours.

Tensors are renamed or left out, never changed: position tables and patch
kernels are fitted when the checkpoint is loaded, to whatever model loads it.
Every change is printed. For example::

    python tools/model_converters/videomamba_to_mm.py \
        videomamba_t16_k400_f8_res224.pth checkpoints/tiny_k400.pth

    python tools/test.py CONFIG checkpoints/tiny_k400.pth
"""
import argparse
import pickle
import re
from pathlib import Path
from typing import Dict, List, Tuple

import torch
from torch import Tensor

import mmvideomamba
from mmvideomamba.models.backbones.adapt_checkpoint import (Change,
                                                            log_changes,
                                                            select_backbone,
                                                            strip_prefix,
                                                            unwrap)

# What the two tensors of the published head are called in each kind of model.
HEADS = dict(
    recognizer='cls_head.fc_cls.',
    classifier='head.fc.',
    distilled='head.fc.',
    backbone='')

_BACKBONE = re.compile(r'cls_token|pos_embed|temporal_pos_embedding|'
                       r'patch_embed\.proj\.(weight|bias)|'
                       r'norm_f\.(weight|bias)|'
                       r'layers\.\d+\.(norm\.(weight|bias)|mixer\..+)')
_NEEDED = ('cls_token', 'pos_embed', 'patch_embed.proj.weight',
           'layers.0.mixer.A_log', 'layers.0.mixer.in_proj.weight')


def read(path: Path) -> dict:
    """Read a published file without running code from it.

    Published training files keep their command line, an
    ``argparse.Namespace``; it is allowed here, and only here.

    Args:
        path (Path): The file.

    Returns:
        dict: What it holds.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, or holds more than data.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} is not a file')
    with path.open('rb') as file:
        start = file.read(2)
    # A zip archive, or a pickle as torch wrote them before version 1.6.
    if start not in (b'PK', b'\x80\x02'):
        raise ValueError(f'{path} is not a checkpoint of torch')
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            checkpoint = torch.load(path, 'cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r'GLOBAL (\S+)', str(error))
        raise ValueError(
            f'{path} holds {refused[1]}, which could run code, and is '
            'refused; have who made it save the weights alone' if refused else
            f'{path} is not a checkpoint of torch: {error}') from error
    except (RuntimeError, EOFError, OSError, LookupError) as error:
        raise ValueError(
            f'{path} is not a checkpoint of torch, or not a whole one: '
            f'{error}') from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} holds a {type(checkpoint).__name__}, not '
                         'the dict of a checkpoint')
    return checkpoint


def _check(weights: Dict[str, Tensor]) -> None:
    """Raise ValueError unless these are the tensors of a VideoMamba."""
    missing = [name for name in _NEEDED if name not in weights]
    unknown = [name for name in weights if not _BACKBONE.fullmatch(name)]
    if missing or unknown:
        problems = []
        if missing:
            problems.append(f'it lacks {", ".join(missing)}')
        if unknown:
            problems.append(f'{len(unknown)} of its tensors are unknown, '
                            f'such as {unknown[0]}')
        raise ValueError(f'this is not a VideoMamba file: '
                         f'{"; ".join(problems)}')


def _row(old: str, new: str) -> Change:
    if old == new:
        return Change('kept', old, '')
    return Change('renamed', old, f'to {new}')


def convert(checkpoint: dict,
            task: str) -> Tuple[Dict[str, Tensor], List[Change]]:
    """Rename the tensors of a published file.

    Args:
        checkpoint (dict): Image, distilled, masked-pretrained, fine-tuned or
            multimodal weights, flat or wrapped.
        task (str): 'recognizer' or 'classifier' keep the head under the name
            that mmaction2's or mmpretrain's model gives it; 'distilled' keeps
            the head of the distillation as well; 'backbone' drops both.

    Returns:
        tuple: State dict, and what became of each tensor.

    Raises:
        ValueError: If these are not the weights of a VideoMamba.
    """
    weights = {
        k: v
        for k, v in unwrap(checkpoint).items() if isinstance(v, Tensor)
    }
    kept, changes = select_backbone(weights)
    _check(kept)
    dropped = {c.key: c for c in changes if c.action == 'dropped'}
    sources = [key for key in weights if key not in dropped]
    if len(sources) != len(kept):
        raise ValueError('several tensors of the file have the same name '
                         'once prefixes are removed')
    state_dict = {f'backbone.{name}': value for name, value in kept.items()}
    names = dict(zip(sources, state_dict))
    if HEADS[task]:
        for key in dropped:
            name = strip_prefix(key)
            if name in ('head.weight', 'head.bias'):
                names[key] = HEADS[task] + name[len('head.'):]
                state_dict[names[key]] = weights[key]
            elif task == 'distilled' and name.startswith('distill_head.'):
                names[key] = name
                state_dict[name] = weights[key]
    if task == 'distilled' and 'distill_head.1.weight' not in state_dict:
        raise ValueError('the file has no distill_head; it is not one of a '
                         'distilled model, convert it for a classifier')
    rows = [
        _row(key, names[key]) if key in names else dropped[key]
        for key in weights
    ]
    if HEADS[task] and HEADS[task] + 'weight' not in state_dict:
        rows.append(
            Change('missing', HEADS[task] + '*',
                   'no head in the file; it starts fresh'))
    return state_dict, rows


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='published file')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    parser.add_argument(
        '--task',
        choices=tuple(HEADS),
        default='recognizer',
        help='what will load it: a recognizer of mmaction2, a classifier of '
        'mmpretrain, our distilled classifier, or any model, without a head '
        '(default: recognizer)')
    return parser


def main() -> None:
    """Convert one file."""
    parser = build_parser()
    args = parser.parse_args()
    if args.target.exists():
        parser.error(f'{args.target} exists; remove it or choose another name')
    try:
        state_dict, changes = convert(read(args.source), args.task)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    args.target.parent.mkdir(parents=True, exist_ok=True)
    meta = dict(
        source=args.source.name,
        task=args.task,
        mmvideomamba_version=mmvideomamba.__version__)
    torch.save(dict(state_dict=state_dict, meta=meta), args.target)
    log_changes(changes)
    print(f'{len(state_dict)} tensors written to {args.target}')


if __name__ == '__main__':
    main()
