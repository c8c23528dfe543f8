"""Test recipes of the configs, shrunk to models of a moment."""
from pathlib import Path
from typing import Any

import torch
from host_tools import ROOT
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope

SIZE, FRAMES = 32, 4
KEPT = ('default_scope', 'custom_imports', 'custom_hooks', 'model', 'work_dir',
        'test_pipeline', 'test_dataloader', 'test_evaluator', 'test_cfg')
# Recipe: config, and the views of a video of 30 frames at 10 per second.
RECIPES = dict(
    quickstart=('quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py',
                6),
    kinetics=('recognition/kinetics400/videomamba-tiny_in1k-pre_8xb64-u8-70e_'
              'kinetics400-rgb.py', 12),
    coin=('recognition/coin/videomamba-tiny_k400-u32-pre_8xb32-u32-40e_'
          'coin-rgb.py', 30),
    lvu=('recognition/lvu/videomamba-tiny_k400-u32-pre_8xb8-u32-70e_lvu-'
         'director-60s-rgb.py', 30),
    number=('recognition/lvu/videomamba-tiny_k400-u32-pre_8xb8-u32-70e_lvu-'
            'like-ratio-60s-rgb.py', 30))


def shrink(pipeline: list) -> None:
    """Let a pipeline make small clips of few frames."""
    for step in pipeline:
        if 'clip_len' in step:
            step['clip_len'] = FRAMES
        if 'crop_size' in step:
            step['crop_size'] = SIZE
        if step['type'] == 'Resize':
            step['scale'] = (-1, SIZE)
        if step['type'] == 'mmvideomamba.ResizeShortEdge':
            step['scale'] = SIZE


def recipe(name: str,
           folder: Path,
           video: Path,
           seconds: float = 3.) -> Config:
    """Load a recipe for a test of one video.

    Args:
        name (str): Of ``RECIPES``.
        folder (Path): Folder for the list of videos.
        video (Path): The video.
        seconds (float): Length of the video. Defaults to 3.

    Returns:
        Config: With a small model.
    """
    cfg = Config.fromfile(ROOT / 'configs' / RECIPES[name][0])
    windows = name in ('lvu', 'number')
    line = [str(video), '0', str(seconds)] if windows else [str(video), '0']
    data = cfg.test_dataloader.dataset
    path = folder / f'{name}.txt'
    path.write_text(data.get('delimiter', ' ').join(line) + '\n')
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    data.update(ann_file=str(path), data_root=None, data_prefix=dict(video=''))
    data.pop('metainfo', None)
    if windows:
        data.update(window=0.8, stride=0.6)
    for pipeline in (data.pipeline, cfg.test_pipeline):
        shrink(pipeline)
        if windows:
            pipeline[1]['num_clips'] = 2
    cfg.model.backbone.update(
        arch=dict(embed_dims=16, num_layers=1),
        img_size=SIZE,
        num_frames=FRAMES,
        init_cfg=None)
    cfg.model.cls_head['in_channels'] = 16
    cfg.work_dir = str(folder / 'work')
    # A config is formatted several times in a run.
    return Config({key: cfg[key] for key in KEPT}, filename=cfg.filename)


def save_model(cfg: Config, path: Path, classes: tuple = ()) -> str:
    """Write a checkpoint of a random model whose scores differ by view."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(ConfigDict(cfg.model))
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    meta = dict(dataset_meta=dict(classes=classes)) if classes else {}
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return str(path)


def tiny_recognizer() -> Any:
    """Build a random recognizer of three classes."""
    cfg = Config.fromfile(ROOT / 'configs/_base_/models/videomamba_tiny.py')
    cfg.model.backbone.update(
        arch=dict(embed_dims=16, num_layers=1),
        img_size=SIZE,
        num_frames=FRAMES)
    cfg.model.cls_head.update(num_classes=3, in_channels=16)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg.model).eval()


def runner_file(cfg: Config, path: Path, **meta: Any) -> Any:
    """Write a checkpoint as a runner does; return the model."""
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(Config(dict(model=cfg.model)).model).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    whole = dict(cfg=cfg.pretty_text, mmengine_version='0.10.7', **meta)
    torch.save(dict(state_dict=model.state_dict(), meta=whole), path)
    model.cfg = cfg
    return model
