"""Reports of configs: a view, and training with teachers, masks, texts."""
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from script import load_script

from mmvideomamba.analysis import (Count, build_model, cost_report,
                                   count_training, count_view, sum_by_kind)
from mmvideomamba.command_line import find_config

UMT = 'umt-videomamba-micro_clip-micro_1xb16-u8-25e_quickstart-rgb'
DISTILLED = 'videomamba-nano_distill-micro_1xb8-u8-25e_quickstart-rgb'
IMAGES = 'videomamba-micro_distill-micro_1xb32-15e_digits'
RETRIEVAL = ('retrieval-videomamba-micro_scratch_1xb32-u4-8e_'
             'quickstart-captions')


def config_of(name: str) -> Config:
    return Config.fromfile(find_config(name))


def test_recognizer() -> None:
    cfg = config_of('videomamba-tiny_in1k-pre_8xb64-u8-35e_sthv2-rgb')
    lines = cost_report(cfg).splitlines()
    assert lines[0] == 'one view: 8 frame(s) of 224x224'
    rows = {line[:38].strip(): line[38:].split() for line in lines}
    assert rows['published rule'][0] == '8.5978'
    assert rows['all'][0] == '14.5553'
    assert rows['all, test of a sample'] == ['87.3317', 'G', '(6', 'view(s))']
    assert rows['parameters'] == ['6,990,126']


def test_masked_distillation() -> None:
    """The student sees 1 + v tokens, the teacher all."""
    cfg = config_of(UMT)
    model: Any = build_model(cfg)
    counts = count_training(model, cfg)
    assert {part
            for part, _ in counts} == {'backbone', 'neck', 'target_generator'}
    t, h, w = model.backbone.grid
    per_frame = h * w - int(cfg.model.mask_ratio * h * w)
    mixer = model.backbone.layers[0].mixer
    inside = len(model.backbone.layers) * mixer.A_log.numel() * 9 * 2
    assert counts[Count('backbone', 'scan')] == inside * (1 + t * per_frame)
    # The teacher, written out: patch embedding, and in each block four
    # projections, two layers of the MLP, scores and sums of the attention.
    arch, side = cfg.model.target_generator.arch, 1 + h * w
    width, mlp = arch.width, 4 * arch.width
    teacher = model.target_generator
    layers = len(teacher.transformer.resblocks)
    block = side * (4 * width**2 + 2 * width * mlp + 2 * side * width)
    patch = teacher.conv1.weight[0].numel() * width * h * w
    levels = len(teacher.levels) * (1 + t * h * w) * width * arch.out_channels
    assert counts[Count(
        'target_generator',
        'other products')] == t * (patch + layers * block) + levels


def test_mask_of_the_pipeline() -> None:
    cfg = config_of(UMT)
    student: Any = build_model(cfg).backbone
    grid = student.grid
    cfg.model.update(mask_source='data', mask_ratio=None)
    step = dict(
        type='mmvideomamba.TokenMask', kind='tube', mask_ratio=0.5, grid=grid)
    cfg.train_dataloader.dataset.pipeline = [step]
    half = count_training(build_model(cfg), cfg)[Count('backbone', 'scan')]
    step['mask_ratio'] = 0.75
    cfg.train_dataloader.dataset.pipeline = [step]
    fewer = count_training(build_model(cfg), cfg)[Count('backbone', 'scan')]
    tokens = grid[0] * grid[1] * grid[2]
    assert half * (1 + tokens // 4) == fewer * (1 + tokens // 2)


@pytest.mark.parametrize('name, head', [(DISTILLED, 'cls_head'),
                                        (IMAGES, 'head')])
def test_student_with_a_teacher(name: str, head: str) -> None:
    cfg = config_of(name)
    counts = count_training(build_model(cfg), cfg)
    assert {part
            for part, _ in counts
            } == {'backbone', head, 'distill_head', 'teacher'}
    view = count_view(build_model(cfg))
    for kind, count in sum_by_kind(view).items():
        same = [
            n for key, n in counts.items()
            if key.part in ('backbone', head) and key.kind == kind
        ]
        assert sum(same) == count
    report = cost_report(cfg)
    assert 'one view' in report and 'teacher: scan' in report


def test_videos_and_texts(tmp_path: Path) -> None:
    pytest.importorskip('tokenizers')
    tool = load_script('tools/data/quickstart/make_quickstart_captions.py')
    (tmp_path / 'vocab.txt').write_text('\n'.join(tool.vocabulary()))
    cfg = config_of(RETRIEVAL)
    cfg.model.tokenizer.folder = str(tmp_path)
    counts = count_training(build_model(cfg), cfg)
    for part in ('vision_encoder', 'text_encoder', 'vision_proj', 'itm_head'):
        assert any(key.part == part for key in counts), part
    assert 'text_encoder: norms' in cost_report(cfg)


def test_other_models_cannot_be_counted() -> None:
    cfg = config_of('videomamba-tiny_8xb512-300e_in1k')
    cfg.model.backbone = dict(type='ResNet', depth=18)
    with pytest.raises(ValueError, match='the backbone is a ResNet'):
        cost_report(cfg)
