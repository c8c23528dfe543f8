#!/usr/bin/env python
"""Count the parameters and the multiply-accumulates of a model of ours.

Two figures are given for one view, a clip of the size in the config:

- ``published rule``: patch embedding, input and output projections, head,
  and five operations per element for each norm. It is what the published
  tables call FLOPs, and leaves the scans out.
- ``all``: the same with the convolutions, the projections of the scans, the
  scans (9 operations per channel, state and token) and the gates (2 per
  channel and token), for each direction.

One multiply-accumulate counts as one. Tokens that a mask drops are counted.
The tool of mmaction2 does not see what a fused scan does.
"""
import argparse
from typing import Dict, Iterator, Tuple

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from mmvideomamba.command_line import default_scope, find_config, user_errors
from mmvideomamba.models import VideoMamba
from mmvideomamba.models.layers import BiMambaMixer

PUBLISHED = ('patch embedding', 'in_proj and out_proj', 'norms', 'head')
# Per token and inner channel: of each state in a scan, and of the gate and
# the skip of a direction.
SCAN, GATE = 9, 2
NORM = 5  # per token and channel


def mixer_macs(mixer: BiMambaMixer, tokens: int) -> Dict[str, int]:
    """Count the operations of a mixer.

    Args:
        mixer (BiMambaMixer): The mixer.
        tokens (int): Length l of the sequence.

    Returns:
        dict[str, int]: Multiply-accumulates by kind.
    """
    directions = ('', '_b') if mixer.bidirectional else ('', )
    # The weights are shared by the scans of both orders.
    scans = 2 if mixer.scan_order == 'spatiotemporal_v2' else 1
    channels, states = mixer.A_log.shape

    def weights(name: str) -> int:
        return sum(
            getattr(mixer, name + end).weight.numel() for end in directions)

    runs = tokens * scans
    return {
        'in_proj and out_proj':
        tokens *
        (mixer.in_proj.weight.numel() + mixer.out_proj.weight.numel()),
        'conv1d':
        runs * weights('conv1d'),
        'x_proj and dt_proj':
        runs * (weights('x_proj') + weights('dt_proj')),
        'scan':
        runs * len(directions) * SCAN * channels * states,
        'gate and skip':
        runs * len(directions) * GATE * channels,
    }


def count_macs(model: nn.Module) -> Dict[str, int]:
    """Count the operations of a model on one clip or image.

    Args:
        model (nn.Module): With a ``backbone`` of type ``VideoMamba``; linear
            layers of its head are counted once.

    Returns:
        dict[str, int]: Multiply-accumulates by kind.

    Raises:
        ValueError: If the backbone is another.
    """
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, VideoMamba):
        raise ValueError(f'the backbone is a {type(backbone).__name__}; only '
                         'mmvideomamba.VideoMamba can be counted')
    t, h, w = backbone.grid
    tokens = t * h * w + 1
    kernel = backbone.patch_embed.proj.weight
    found = {'patch embedding': t * h * w * kernel.numel()}
    for layer in backbone.layers:
        for kind, count in mixer_macs(layer.mixer, tokens).items():
            found[kind] = found.get(kind, 0) + count
    norms = len(backbone.layers) + 1
    found['norms'] = NORM * norms * tokens * backbone.embed_dims
    head = getattr(model, 'cls_head', None) or getattr(model, 'head', None)
    found['head'] = sum(layer.weight.numel() for layer in linear_layers(head))
    return found


def linear_layers(head: nn.Module) -> Iterator[nn.Linear]:
    """Yield the linear layers of a head, which may be missing."""
    for module in head.modules() if head is not None else ():
        if isinstance(module, nn.Linear):
            yield module


def totals(found: Dict[str, int]) -> Tuple[int, int]:
    """Sum up by the published rule, and all.

    Args:
        found (dict[str, int]): From ``count_macs``.

    Returns:
        tuple[int, int]: Multiply-accumulates.
    """
    return sum(found[kind] for kind in PUBLISHED), sum(found.values())


def views_of(cfg: Config) -> int:
    """Return the views of a sample in the test, clips by crops.

    Args:
        cfg (Config): The config.

    Returns:
        int: 1 if it does not say.
    """
    loader = cfg.get('test_dataloader') or {}
    steps = loader.get('dataset', {}).get('pipeline', [])
    clips = [step.get('num_clips', 1) for step in steps]
    crops = [
        step.get('num_crops', 3) for step in steps
        if step['type'] in ('ThreeCrop', 'mmvideomamba.EvenCrops')
    ]
    return max(clips, default=1) * max(crops, default=1)


def build(cfg: Config) -> nn.Module:
    """Build the model of a config, without loading weights.

    Args:
        cfg (Config): The config.

    Returns:
        nn.Module: The model.
    """
    init_default_scope(default_scope(cfg))
    return MODELS.build(cfg.model)


def report(cfg: Config) -> str:
    """Describe the cost of a config's model.

    Args:
        cfg (Config): The config.

    Returns:
        str: A table and two sums.

    Raises:
        ValueError: If the model is none of ours.
    """
    model = build(cfg)
    found = count_macs(model)
    published, everything = totals(found)
    params = sum(p.numel() for p in model.parameters())
    backbone = model.backbone
    lines = [
        f'{kind:<22}{count / 1e9:>12.4f} G' for kind, count in found.items()
    ]
    height, width = backbone.img_size
    views = views_of(cfg)
    return '\n'.join([
        f'one view: {backbone.num_frames} frame(s) of {width}x{height}',
        *lines,
        f'{"published rule":<22}{published / 1e9:>12.4f} G',
        f'{"all":<22}{everything / 1e9:>12.4f} G',
        f'{"all, test of a sample":<22}{views * everything / 1e9:>12.4f} G'
        f'  ({views} view(s))',
        f'{"parameters":<22}{params:>12,d}',
    ])


def main() -> None:
    """Parse the command line and print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'config', help='path of a config, or the name of one of ours')
    args = parser.parse_args()
    with user_errors():
        print(report(Config.fromfile(find_config(args.config))))


if __name__ == '__main__':
    main()
