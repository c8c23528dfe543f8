"""Tests of the model card."""
from typing import Any

import pytest
from huggingface_hub import ModelCard

from mmvideomamba.checkpoints import model_card

CONFIG = dict(
    library_version='0.1.0',
    task='video-regression',
    classes=None,
    licence='cc-by-4.0',
    results=dict(source='unknown'),
    input=dict(
        frames=8,
        height=224,
        width=224,
        channels='RGB',
        mean=[1.] * 3,
        std=[2.] * 3),
    sampling=dict(kind='uniform', frames=8),
    average='score',
    model=dict(type='X'))


def card(**changes: Any) -> str:
    """Write a card."""
    return model_card({**CONFIG, **changes})


def test_the_header_of_the_hub() -> None:
    """The hub's own reader understands the header."""
    data = ModelCard(
        card(results=dict(source='run', dataset='my: "set"'))).data
    assert data.license == 'cc-by-4.0'
    assert data.library_name == 'mmvideomamba'
    assert data.pipeline_tag == 'video-classification'
    assert data.datasets == ['my: "set"']
    assert 'video-regression' in data.tags
    data = ModelCard(card(licence='Apache-2.0 (code); weights: no')).data
    assert data.license == 'other'
    assert data.license_name == 'Apache-2.0 (code); weights: no'


@pytest.mark.parametrize('results, line', [
    (dict(source='published', file='x.pth', accuracy=dict(top1=80.5)),
     'published file (file x.pth). Results as published, not measured here:'
     '\n\n- top1: 80.5'),
    (dict(source='published', file='x.pth'),
     'a published file (file x.pth), without published results.'),
    (dict(source='run', epoch=2, accuracy=dict(top1=0.5)),
     'of a run of our training: epoch 2.\nOn its validation data:\n\n- top1'),
    (dict(source='unknown'), 'Unknown: the file does not say'),
])
def test_results_have_their_source(results: dict, line: str) -> None:
    """Published numbers and numbers of a run differ."""
    assert line in card(results=results)


def test_many_classes() -> None:
    """A long list is cut, and the rest is counted."""
    found = card(
        task='video-classification', classes=[f'c{i}' for i in range(21)])
    assert '19. c19' in found and 'c20' not in found
    assert '21 classes in all' in found
    assert 'names of the classes are not known' in card(
        task='image-classification')
