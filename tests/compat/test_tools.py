"""Features of a host's tool get the names of the samples."""
import argparse
import pickle
from pathlib import Path
from typing import Any, Dict, List, Optional

import mmaction.datasets  # noqa: F401, registers the transforms
import mmengine
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from red_patch import make_model
from torch import nn

from mmvideomamba.compat.tools import TOOL_REMEDIES

FEATURES = TOOL_REMEDIES['mmaction', 'clip_feature_extraction.py']
STEPS = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=4)
]


def make_args(folder: Path, **kwargs) -> argparse.Namespace:
    args = dict(
        video_list=None,
        video_root=None,
        multi_view=False,
        long_video_mode=False,
        dump_score=False,
        views='all',
        output_prefix=str(folder),
        dump=str(folder / 'all.pkl'))
    return argparse.Namespace(**{**args, **kwargs})


def make_config(folder: Path, lines: List[str], **kwargs) -> Config:
    """Write a list and empty videos; return a config of a test set."""
    (folder / 'list.txt').write_text('\n'.join(lines))
    for line in lines:
        if line:
            path = folder / 'videos' / line.split(',')[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    data: Dict[str, Any] = dict(
        type='mmvideomamba.CheckedVideoDataset',
        ann_file='list.txt',
        data_root=str(folder),
        data_prefix=dict(video='videos'),
        delimiter=',',
        pipeline=list(STEPS),
        test_mode=True)
    data.update(kwargs)
    return Config(dict(test_dataloader=dict(dataset=data)))


def split(cfg: Config, args: argparse.Namespace,
          features: List[Any]) -> List[str]:
    """Run the tool's two functions; return the names of the files."""
    tool: Dict[str, Any] = dict(
        parse_args=None, merge_args=lambda cfg, args: cfg, split_feats=None)
    FEATURES(tool)
    tool['merge_args'](cfg, args)
    mmengine.dump(features, args.dump)
    with DefaultScope.overwrite_default_scope('mmaction'):
        tool['split_feats'](args)
    root = Path(args.output_prefix)
    return sorted(str(path.relative_to(root)) for path in root.rglob('*.pkl'))


def test_commas_blank_lines_and_folders(tmp_path: Path) -> None:
    cfg = make_config(tmp_path, ['b/x.mp4,1', '', 'a/x.mp4,0'])
    cfg.resume = True  # kept by a resumed training
    out = tmp_path / 'out'
    names = split(cfg, make_args(out),
                  [torch.tensor([1.]), torch.tensor([2.])])
    assert names == ['a/x.mp4.pkl', 'b/x.mp4.pkl'] and not cfg.resume
    found = pickle.loads((out / 'a/x.mp4.pkl').read_bytes())
    assert torch.equal(found, torch.tensor([2.]))


def test_list_and_root_of_the_command_line(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = make_config(tmp_path, ['x.mp4,1', 'y.mp4,0'])
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other/z.mp4').touch()
    (tmp_path / 'other.txt').write_text('z.mp4,0')
    monkeypatch.chdir(tmp_path)
    args = make_args(
        tmp_path / 'out',
        video_list='other.txt',
        video_root='other',
        dump_score=True)
    sample = dict(pred_score=torch.tensor([0.5, 0.5]))
    assert split(cfg, args, [sample]) == ['z.mp4.pkl']
    assert cfg.test_dataloader.dataset.bad_media == 'raise'


def test_windows_of_a_video(tmp_path: Path) -> None:
    cfg = make_config(
        tmp_path, ['x.mp4,0,3', 'y.mp4,1,1'],
        type='mmvideomamba.WindowVideoDataset',
        window=1.,
        stride=1.)
    names = split(cfg, make_args(tmp_path / 'out'), list(torch.eye(4)))
    assert names == [
        'x.mp4.0.pkl', 'x.mp4.1.pkl', 'x.mp4.2.pkl', 'y.mp4.0.pkl'
    ]


@pytest.mark.parametrize('lines, count, text', [
    (['x.mp4,0', 'y.mp4,0'], 3, 'holds 3 features of 2 samples'),
    (['x.mp4,0', 'x.mp4,1'], 2, r'the same video twice: x\.mp4'),
])
def test_features_without_a_name(tmp_path: Path, lines: List[str], count: int,
                                 text: str) -> None:
    cfg = make_config(tmp_path, lines)
    with pytest.raises(ValueError, match=text):
        split(cfg, make_args(tmp_path / 'out'), list(torch.eye(count)))
    assert (tmp_path / 'out' / 'all.pkl').is_file()


@pytest.mark.parametrize('sampler, steps, text', [
    (dict(shuffle=True), None, 'shuffle to False'),
    (None, [dict(type='mmvideomamba.SegmentSample')
            ], 'has neither: mmvideomamba.SegmentSample'),
])
def test_options_of_no_effect_are_refused(tmp_path: Path,
                                          sampler: Optional[dict],
                                          steps: Optional[list],
                                          text: str) -> None:
    cfg = make_config(tmp_path, ['x.mp4,0'])
    if sampler:
        cfg.test_dataloader.sampler = sampler
    if steps:
        cfg.test_dataloader.dataset.pipeline = steps
    args = make_args(tmp_path / 'out', long_video_mode=bool(steps))
    with pytest.raises(ValueError, match=text):
        split(cfg, args, [torch.ones(1)])


def test_features_of_a_hosts_set_are_split_by_the_host(tmp_path: Path) -> None:
    cfg = make_config(tmp_path, ['x.mp4,0'], type='VideoDataset')
    calls: List[Any] = []
    tool: Dict[str, Any] = dict(
        parse_args=None,
        merge_args=lambda cfg, args: cfg,
        split_feats=calls.append)
    FEATURES(tool)
    args = make_args(tmp_path)
    tool['merge_args'](cfg, args)
    tool['split_feats'](args)
    assert calls == [args]


def test_maps_of_other_classifiers_are_the_hosts() -> None:
    calls: List[Any] = []
    names = ('get_default_target_layers', 'reshape_transform')
    tool = dict.fromkeys(names, lambda *args: calls.append(args))
    TOOL_REMEDIES['mmpretrain', 'vis_cam.py'](tool)
    model = nn.Sequential()
    model.backbone = nn.Linear(2, 2)
    tool['get_default_target_layers'](model, None)
    tool['reshape_transform'](0, model, None)
    assert calls == [(model, None), (0, model, None)]


def test_maps_of_images_that_are_no_squares() -> None:
    tool = dict(get_default_target_layers=None, reshape_transform=None)
    TOOL_REMEDIES['mmpretrain', 'vis_cam.py'](tool)
    maps = tool['reshape_transform'](torch.ones(1, 7, 4), make_model(1), None)
    assert maps.shape == (1, 4, 2, 3)
