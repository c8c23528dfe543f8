"""Weights are found below any wrapper and prefix, or the choice refused."""
from typing import Any, Dict, List

import pytest
import torch
from common import official_weights, small_backbone
from test_three_ways import AVERAGED, PLAIN, PREFIXES, prefixed, wrap
from torch import Tensor

from mmvideomamba.checkpoints import select_backbone, unwrap
from mmvideomamba.checkpoints.unwrap import find_weights, trunk_prefixes

MODEL = small_backbone()
WEIGHTS = official_weights(MODEL)


def same(found: Dict[str, Tensor]) -> bool:
    """Tell whether the backbone's part equals the weights of the model."""
    kept, _ = select_backbone(found)
    own = MODEL.state_dict()
    return kept.keys() == own.keys() and all(
        torch.equal(kept[k], own[k]) for k in own)


@pytest.mark.parametrize('first', [*PLAIN, *AVERAGED, ''])
def test_two_wrappers_and_a_prefix(first: str) -> None:
    for second in (*PLAIN, *AVERAGED, ''):
        for prefix in PREFIXES:
            file = wrap(f'{first}/{second}', prefixed(prefix, WEIGHTS))
            assert same(unwrap(file)), (second, prefix)


@pytest.mark.parametrize('key', ['state_dict', 'model', 'module'])
def test_state_dict_of_another_model(key: str) -> None:
    inner = {'a.weight': torch.ones(1)}
    for file in ({key: inner, 'epoch': 3}, inner, prefixed('module.', inner)):
        assert unwrap(file) == inner
    # A tensor under the key of a wrapper is not a wrapper.
    flat = {key: torch.ones(1)}
    assert unwrap(flat) == flat
    assert unwrap({}) == {} and unwrap(dict(epoch=3)) == {}


def test_tensors_beside_a_wrapper() -> None:
    """A step counter at the top does not hide the model."""
    assert same(unwrap(dict(model=WEIGHTS, step=torch.tensor(3))))


def test_empty_wrapper_is_passed_over() -> None:
    assert same(unwrap(dict(model={}, model_ema=None, net=WEIGHTS)))


def test_attribute_of_any_name() -> None:
    """The only model in a file may have any prefix."""
    assert same(unwrap(prefixed('feature_extractor.', WEIGHTS)))
    assert same(unwrap(prefixed('0.', WEIGHTS)))


def test_other_models_are_named(mm_log: List[str]) -> None:
    other = official_weights(small_backbone())
    assert same(
        unwrap(
            dict(
                state_dict={
                    **prefixed('model.', WEIGHTS),
                    **prefixed('momentum_encoder.', other)
                })))
    assert [
        'at state_dict.momentum_encoder., is left out' in x for x in mm_log
    ] == [True]


def test_attribute_with_both_kinds() -> None:
    """The EMA wrapper is recognised below an unknown prefix as well."""
    other = official_weights(small_backbone())
    file = dict(
        model=prefixed('feature_extractor.', other),
        model_ema=prefixed('feature_extractor.', WEIGHTS))
    assert same(unwrap(file, ema=True)) and not same(unwrap(file))


@pytest.mark.parametrize('file', [
    dict(EMAModel=WEIGHTS),
    dict(encoder=WEIGHTS, target_encoder=WEIGHTS),
    dict(callbacks=dict(EMACallback=dict(ema_state_dict=WEIGHTS))),
    dict(callbacks=dict(WeightAveraging=WEIGHTS)),
])  # yapf: disable
def test_names_of_ema_weights(file: Dict[str, Any]) -> None:
    assert same(unwrap(file, ema=True))


@pytest.mark.parametrize('file', [
    {'model': WEIGHTS, 'metrics/acc.top1': torch.tensor(.5)},
    dict(state_dict=[WEIGHTS]), dict(models=[WEIGHTS]),
    dict(state=dict(model=dict(module=dict(net=dict(state_dict=WEIGHTS))))),
    {k.replace('layers.0.', 'layers.0._fpw_module.'): v
     for k, v in WEIGHTS.items()},
])  # yapf: disable
def test_other_nestings(file: Dict[str, Any]) -> None:
    assert same(unwrap(file))


def test_metric_beside_another_model() -> None:
    inner = {'a.weight': torch.ones(1), 'a.bias': torch.ones(1)}
    file = {'acc.top1': torch.ones(1), 'model': inner}
    assert unwrap(file) == inner


@pytest.mark.parametrize('file', [
    dict(module={k: torch.empty(0) for k in WEIGHTS}),
    {'_fsdp_wrapped_module._flat_param': torch.ones(3)},
    {'layers.0._fsdp_wrapped_module.flat_param': torch.ones(3)},
])  # yapf: disable
def test_shards(file: Dict[str, Any]) -> None:
    with pytest.raises(ValueError, match='one shard .* gather them'):
        unwrap(file)


def test_empty_tensor_of_another_model() -> None:
    file = {'a.weight': torch.ones(1), 'a.cache': torch.empty(0)}
    assert unwrap(file) == file


def test_place_and_kind() -> None:
    found = find_weights(dict(model_ema=prefixed('module.', WEIGHTS)))
    assert found.place == 'model_ema.module.' and found.averaged
    file = dict(model=WEIGHTS, model_ema=WEIGHTS)
    assert find_weights(file).other == 'model_ema.'
    assert not find_weights(file).averaged
    assert find_weights(file, ema=True).averaged


def test_weight_averaging_of_lightning() -> None:
    """Lightning's averaging saves the averaged weights as ``state_dict``."""
    other = official_weights(small_backbone())
    file = dict(
        state_dict=prefixed('model.', WEIGHTS),
        current_model_state=prefixed('model.', other),
        averaging_state=dict(n_averaged=torch.tensor(3)))
    assert same(unwrap(file)) and find_weights(file).averaged


@pytest.mark.parametrize('file, message', [
    (dict(momentum=WEIGHTS), 'at momentum., not under a known name'),
    (dict(model=WEIGHTS, net=WEIGHTS), 'several models'),
    (dict(model=dict(prefixed('a.', WEIGHTS), **prefixed('b.', WEIGHTS))),
     'several models, at model.a. and model.b.'),
])
def test_choices_are_refused(file: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unwrap(file)


@pytest.mark.parametrize('file', [
    WEIGHTS, dict(model=WEIGHTS), {}, {'a.weight': torch.ones(1)}
])  # yapf: disable
def test_no_ema_weights(file: Dict[str, Any]) -> None:
    with pytest.raises(ValueError, match='no EMA weights'):
        unwrap(file, ema=True)


def test_trunk_prefixes() -> None:
    names = ['a.layers.0.mixer.D', 'a.layers.1.mixer.D', 'layers.0.mixer.D',
             'b.layers.0.norm.weight', 'alayers.0.mixer.D']  # yapf: disable
    assert trunk_prefixes(names) == ['a.', '']
