"""The model gets the classes of the data set, then the host's loop runs."""
import logging
from types import SimpleNamespace
from typing import Any, List

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmvideomamba.engine.loops import PromptTestLoop, PromptValLoop
from mmvideomamba.evaluation import PromptAccMetric

LABELS = [0, 1, 1]


class Videos(Dataset):
    """Numbers of videos."""

    def __init__(self, **metainfo: Any) -> None:
        self.metainfo = metainfo

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> int:
        return index


class Model(nn.Module):
    """Predict the first class for all videos."""

    def set_classes(self, classes: List[Any]) -> List[List[str]]:
        assert not self.training
        self.classes = classes
        return [['x', 'y'], ['z']]

    def val_step(self, batch: List[int]) -> List[BaseDataElement]:
        return [
            BaseDataElement(
                gt_label=torch.tensor([LABELS[i]]),
                pred_score=torch.tensor([1., 0.])) for i in batch
        ]

    test_step = val_step


def build(kind: type, **metainfo: Any) -> Any:
    runner = SimpleNamespace(
        model=Model(),
        calls=[],
        logger=logging.getLogger('prompts'),
        visualizer=SimpleNamespace())
    runner.call_hook = lambda name, **_: runner.calls.append(name)
    loader = DataLoader(Videos(**metainfo), batch_size=2, collate_fn=list)
    return kind(runner, loader, Evaluator(PromptAccMetric()))


@pytest.mark.parametrize('kind, stage', [(PromptValLoop, 'val'),
                                         (PromptTestLoop, 'test')])
def test_classes_of_the_data_set(kind: type, stage: str) -> None:
    loop = build(kind, classes=['a', 'b'])
    assert loop.run()['acc/top1'] == pytest.approx(1 / 3)
    assert loop.runner.model.classes == ['a', 'b']
    assert loop.runner.calls[0] == f'before_{stage}'
    assert loop.runner.calls.count(f'after_{stage}_iter') == 2


def test_wordings_win_over_names() -> None:
    loop = build(
        PromptTestLoop, classes=['a', 'b'], wordings=[['a', 'c'], 'b'])
    loop.run()
    assert loop.runner.model.classes == [['a', 'c'], 'b']


def test_faults() -> None:
    for metainfo, message in ((dict(), 'is none; set'),
                              (dict(classes='x.txt'),
                               "'x.txt', a missing file")):
        with pytest.raises(ValueError, match=message):
            build(PromptTestLoop, **metainfo).run()
    loop = build(PromptTestLoop, classes=['a', 'b'])
    loop.runner.model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match='VideoTextClassifier.*has Linear'):
        loop.run()
