"""Free axes of an export, and its metadata."""
import json

import pytest
import torch
from micro_models import classifier, recognizer

from mmvideomamba.deployment import wrap
from mmvideomamba.deployment.interface import make_interface, metadata


def test_lengths() -> None:
    """Views follow the batch unless a number of views is given."""
    wrapper = wrap(recognizer())
    free = make_interface(wrapper)
    assert free.lengths == (None, None) and free.example == (2, 3)
    assert free.trials == ((2, 2), (1, 1))
    fixed = make_interface(wrapper, batch=4)
    assert fixed.lengths == (4, 1) and fixed.trials == ((4, 1), )
    mixed = make_interface(wrapper, views=12)
    assert mixed.lengths == (None, 12)
    assert mixed.trials == ((2, 12), (1, 12))
    assert make_interface(wrap(classifier()), 1).lengths == (1, )


@pytest.mark.parametrize('wrong', [0, -1, True, 'all', 1.5])
def test_wrong_lengths(wrong) -> None:
    """A length is a positive number or 'dynamic'."""
    with pytest.raises(ValueError, match="batch must be 'dynamic' or a pos"):
        make_interface(wrap(recognizer()), batch=wrong)


def test_images_have_no_views() -> None:
    """Views of images are refused."""
    with pytest.raises(ValueError, match='takes one view each'):
        make_interface(wrap(classifier()), views=3)


def test_metadata() -> None:
    """Sizes are numbers, free axes are words."""
    wrapper = wrap(recognizer()).eval()
    interface = make_interface(wrapper, views=2)
    outputs = wrapper(wrapper.random_input((5, 2)))
    found = json.loads(metadata(dict(task='a'), wrapper, interface, outputs))
    assert found == dict(
        task='a',
        tensors=dict(
            inputs=[
                dict(
                    name='frames',
                    dtype='uint8',
                    shape=['batch', 2, 2, 16, 16, 3])
            ],
            outputs=[
                dict(
                    name='probabilities', dtype='float32', shape=['batch', 3]),
                dict(name='logits', dtype='float32', shape=['batch', 2, 3])
            ]))
    assert torch.is_tensor(outputs[0])
