"""Remedies for tools of the hosts: scripts, not modules.

``tools/run_host.py`` applies them before the ``main`` of a tool. A remedy
takes the tool's global names and puts functions in the place of others.
"""
import argparse
import functools
import importlib
import os
import sys
from typing import Any, Callable, Dict, List, Tuple

from mmengine.dist import is_main_process
from mmengine.fileio import dump
from mmengine.logging import print_log

_OURS = 'mmvideomamba.'


def _is_ours(cfg: Any) -> bool:
    return str(cfg.get('type', '')).startswith(_OURS)


def _check_samples(cfg: Any, args: Any) -> None:
    """Refuse a test set whose features would get the names of others."""
    loader = cfg.test_dataloader
    if loader.get('sampler', {}).get('shuffle'):
        raise ValueError('features are named in the order of the test set. '
                         'Set test_dataloader.sampler.shuffle to False.')
    steps = [str(step['type']) for step in loader.dataset.pipeline]
    if args.long_video_mode and 'UntrimmedSampleFrames' not in steps:
        raise ValueError(
            '--long-video-mode replaces SampleFrames or UniformSample, but '
            f'the test pipeline has neither: {", ".join(steps)}. Change the '
            'sampling step, or leave the option out.')


def _set_places(cfg: Any, args: Any) -> None:
    """Give a data set of ours the list and the root of the command line."""
    data = cfg.test_dataloader.dataset
    if args.video_list is not None:
        data.ann_file = os.path.abspath(args.video_list)
    if args.video_root is not None:
        kind = 'img' if 'Rawframe' in data.type else 'video'
        data.data_prefix = {kind: os.path.abspath(args.video_root)}
    # A replacement would be stored under the name of the bad file.
    data.bad_media = 'raise'


def _names_of(data: Any) -> List[str]:
    """Name the samples of a data set by paths below the root."""
    root = next(iter(data.data_prefix.values()), '') or ''
    names: List[str] = []
    seen: Dict[str, int] = {}
    for i in range(len(data)):
        info = data.get_data_info(i)
        name = info.get('filename') or info['frame_dir']
        if root and os.path.abspath(name).startswith(
                os.path.join(os.path.abspath(root), '')):
            name = os.path.relpath(name, root)
        # Windows of a video share a file: a number tells the windows apart.
        number = seen[name] = seen.get(name, -1) + 1
        windows = 'clip_start' in info
        names.append(f'{name}.{number}' if windows else name)
    if len(set(names)) < len(names):
        twice = sorted(name for name, last in seen.items() if last)
        raise ValueError('the test set holds the same video twice: '
                         f'{", ".join(twice[:3])}')
    return names


def _with_views(parse: Callable[[], Any]) -> Callable[[], Any]:
    """Let the command line of a tool hold ``--views`` as in our tools."""

    @functools.wraps(parse)
    def parse_args() -> Any:
        # The parser of the tool has the help, and abbreviations of own
        # options.
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument('--views', default='all')
        ours, sys.argv[1:] = parser.parse_known_args()
        args = parse()
        args.views = ours.views
        return args

    return parse_args


def _feature_extraction(tool: Dict[str, Any]) -> None:
    """Name features by the samples of a data set of ours, and choose views.

    The tool splits the lines of the list at spaces, counts blank ones, and
    ignores ``--video-root`` for data sets other than mmaction2's.
    """
    merge, split = tool['merge_args'], tool['split_feats']
    configs: List[Any] = []

    @functools.wraps(merge)
    def merge_args(cfg: Any, args: Any) -> Any:
        importlib.import_module('mmvideomamba.inference.views').set_test_views(
            cfg, args.views)
        if _is_ours(cfg.test_dataloader.dataset):
            _set_places(cfg, args)
        cfg = merge(cfg, args)
        # The config of a resumed training; the optimizer would not fit.
        cfg.resume = False
        _check_samples(cfg, args)
        configs.append(cfg)
        if not args.multi_view and not args.long_video_mode:
            print_log(
                'each feature is the mean over the views of the test '
                'pipeline; --views one takes a single view, --multi-view '
                'keeps the views apart')
        return cfg

    @functools.wraps(split)
    def split_feats(args: Any) -> None:
        cfg = configs[-1].test_dataloader.dataset
        if not _is_ours(cfg):
            split(args)
            return
        # The first process to finish would remove the dump of the others.
        if not is_main_process():
            return
        registry = importlib.import_module('mmengine.registry')
        # Without a pipeline: names need no frames.
        names = _names_of(registry.DATASETS.build(dict(cfg, pipeline=[])))
        features = importlib.import_module(
            'mmvideomamba.checkpoints.dump').read_dump(args.dump)
        if args.dump_score:
            features = [one['pred_score'] for one in features]
        if len(names) != len(features):
            raise ValueError(f'{args.dump} holds {len(features)} features of '
                             f'{len(names)} samples')
        for name, feature in zip(names, features):
            dump(feature, os.path.join(args.output_prefix, name + '.pkl'))
        os.remove(args.dump)

    tool.update(
        parse_args=_with_views(tool['parse_args']),
        merge_args=merge_args,
        split_feats=split_feats)


def _cam(tool: Dict[str, Any]) -> None:
    """Draw maps of a VideoMamba, by default of the last layer with maps.

    The tool looks for a norm of torch, and ends in an IndexError; tokens need
    ``--vit-like``, and as many rows of patches as columns.
    """
    original, reshape = (tool['get_default_target_layers'],
                         tool['reshape_transform'])

    @functools.wraps(original)
    def get_default_target_layers(model: Any, args: Any) -> List[Any]:
        predict = importlib.import_module('mmvideomamba.inference.predict')
        if not predict.is_ours(model):
            return original(model, args)
        cam = importlib.import_module('mmvideomamba.visualization.cam')
        layer = cam.cam_layer(model)
        print_log(f'target layer: {cam.name_of(model, layer)}')
        return [layer]

    @functools.wraps(reshape)
    def reshape_transform(tensor: Any, model: Any, args: Any) -> Any:
        predict = importlib.import_module('mmvideomamba.inference.predict')
        if not predict.is_ours(model):
            return reshape(tensor, model, args)
        cam = importlib.import_module('mmvideomamba.visualization.cam')
        return cam.token_maps(model)(tensor)

    tool['get_default_target_layers'] = get_default_target_layers
    tool['reshape_transform'] = reshape_transform


# Host, and file of the tool.
TOOL_REMEDIES: Dict[Tuple[str, str], Callable[[Dict[str, Any]], None]] = {
    ('mmaction', 'clip_feature_extraction.py'): _feature_extraction,
    ('mmpretrain', 'vis_cam.py'): _cam,
}
