"""A diverged training is repeated from the replay file."""
from pathlib import Path
from typing import Any

import pytest
import torch
from guarded_run import build

from mmvideomamba.engine.guard.replay_tool import build_model, replay_file


def diverged(folder: Path, **kwargs: Any) -> str:
    """Return the path of the file."""
    config = dict(
        default_scope='mmpretrain',
        model=dict(type='GuardedNet', **kwargs),
        randomness=dict(seed=0))
    with pytest.raises(SystemExit):
        build(folder, kwargs, cfg=config).train()
    return str(next(folder.glob('replay*')))


def test_module_is_named(tmp_path: Path) -> None:
    path = diverged(tmp_path, fault='output', iterations=[1, 2])
    text = replay_file(path).splitlines()
    assert text[:2] == ['In the training:', '  loss = nan, loss_cls = nan']
    assert text[2].startswith('  the first bad output is of body (Body)')
    assert text[4] == (f'Repeated on cpu with torch {torch.__version__} (then '
                       f'{torch.__version__}): iteration 1')
    assert text[5:7] == [
        '  losses: loss = nan, loss_cls = nan',
        '  in the training: loss = nan, loss_cls = nan'
    ]
    assert text[7] == text[2]
    assert text[8].startswith('  samples: 0.png (label 0), 1.png (label 1)')


def test_fault_of_the_training_alone(tmp_path: Path) -> None:
    path = diverged(tmp_path, fault='loss', iterations=[3])
    assert 'the fault does not reproduce' in replay_file(path)
    with pytest.raises(ValueError, match='--device nothing: Expected one of'):
        replay_file(path, device='nothing')


def test_other_types_need_trust() -> None:
    config = dict(
        default_scope='mmpretrain', model=dict(type='torch.nn.Identity'))
    with pytest.raises(ValueError, match='--trust-config'):
        build_model(config, 'a.pth', trust=False)
    assert type(build_model(config, 'a.pth', trust=True)).__name__ == \
        'Identity'
    with pytest.raises(ValueError, match='a.pth holds no config of a model'):
        build_model({}, 'a.pth', trust=False)


def test_preprocessor_beside_the_model() -> None:
    config = dict(
        default_scope='mmpretrain',
        custom_imports=dict(imports=['mmvideomamba']),
        data_preprocessor=dict(num_classes=3, mean=[1, 2, 3], std=[1, 1, 1]),
        model=dict(
            type='ImageClassifier',
            backbone=dict(type='mmpretrain.LeNet5', num_classes=3),
            head=dict(type='mmpretrain.ClsHead')))
    model = build_model(config, 'a.pth', trust=False)
    means = model.get_buffer('data_preprocessor.mean')
    assert means.flatten().tolist() == [1, 2, 3]
