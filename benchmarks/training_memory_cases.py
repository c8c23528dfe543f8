"""Trainings of different size, by the recipes for own videos."""
from typing import NamedTuple

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
from mmengine.config import Config
from recipe_parts import CONFIGS, in_float32, without_files

MODELS_ZOO = ('micro', 'tiny', 'small', 'middle', 'base')
HOW = ('train', 'train-cp', 'train-frozen', 'infer')
PRECISIONS = ('float32', 'bfloat16')
RECIPE = 'recognition/custom/videomamba-{}_1xb8-u8-25e_custom-rgb.py'
CHANNELS = dict(tiny=192, small=384, middle=576, base=768)
SIDE = dict(micro=48, tiny=224, small=224, middle=224, base=224)
LAYERS = dict(micro=4, tiny=24, small=24, middle=32, base=24)


class Case(NamedTuple):
    """A training or an inference.

    Args:
        model (str): Of ``MODELS_ZOO``.
        frames (int): Of a clip.
        clips (int): Of a step.
        how (str): Of ``HOW``.
        precision (str): Of ``PRECISIONS``.
    """
    model: str
    frames: int
    clips: int
    how: str
    precision: str

    @classmethod
    def parse(cls, text: str) -> 'Case':
        """Read a case; ValueError if the text is none."""
        model, frames, clips, rest = text.split('-', 3)
        how, _, precision = rest.rpartition('-')
        for value, known in ((model, MODELS_ZOO), (how, HOW), (precision,
                                                               PRECISIONS)):
            if value not in known:
                raise ValueError(f'{text}: {value!r} is none of {known}')
        return cls(model, int(frames), int(clips), how, precision)


def recipe(case: Case, device: str) -> Config:
    """Return the recipe for own videos, as large as a case says.

    Args:
        case (Case): The case.
        device (str): 'cpu' or 'cuda'.

    Returns:
        Config: Without files.
    """
    micro = case.model == 'micro'
    name = RECIPE.format('micro' if micro else 'tiny')
    cfg = Config.fromfile(CONFIGS / name)
    without_files(cfg.model)
    if not micro:
        cfg.model.backbone.arch = case.model
        cfg.model.cls_head.in_channels = CHANNELS[case.model]
    cfg.model.backbone.num_frames = case.frames
    if case.how == 'train-cp':
        cfg.model.backbone.checkpoint_layers = 99
    if case.how == 'train-frozen':
        cfg.model.backbone.frozen_stages = LAYERS[case.model]
    if case.precision == 'bfloat16':
        cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype='bfloat16')
    elif device == 'cpu':
        cfg.optim_wrapper = in_float32(cfg.optim_wrapper)
    cfg.train_dataloader.batch_size = case.clips
    cfg.train_dataloader.num_workers = 0
    cfg.train_dataloader.persistent_workers = False
    return cfg
