"""Learning rates reach the device; other changes are named."""
import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from step_graph_run import StepNet, optimizer_of

from mmvideomamba.engine.step_graph.learning_rates import (LearningRates,
                                                           make_groups_plain)


def rates() -> LearningRates:
    optimizer = optimizer_of(StepNet())
    return LearningRates(optimizer, torch.device('cpu'))


def test_groups_are_joined_for_a_while() -> None:
    found = rates()
    groups = found.optimizer.param_groups
    assert len(groups) == 6 and len(found.rates) == 2
    with found.merged():
        merged = found.optimizer.param_groups
        assert [len(x['params']) for x in merged] == [3, 3]
        assert [x['lr'].item() for x in merged] == [2**-6, 2**-5]
        assert all(x['capturable'] for x in merged)
    assert found.optimizer.param_groups is groups
    assert not any(x['capturable'] for x in groups)


def test_send() -> None:
    found = rates()
    for group in found.optimizer.param_groups:
        group['lr'] *= 0.5
    assert not found.send()
    assert found.rates.tolist() == [2**-7, 2**-6]
    found.optimizer.param_groups[0]['lr'] = 1.
    assert found.send() == 'learning rates that were equal differ'


def test_groups_of_the_host_become_plain() -> None:
    wrapper = build_optim_wrapper(
        StepNet(),
        ConfigDict(
            optimizer=dict(type='AdamW', lr=0.5, weight_decay=0.1),
            paramwise_cfg=dict(bias_decay_mult=0.)))
    groups = wrapper.optimizer.param_groups
    before = [dict(group) for group in groups]
    assert len(groups) == 6 and type(groups[0]) is not dict
    make_groups_plain(wrapper.optimizer)
    assert wrapper.optimizer.param_groups is groups
    assert all(type(group) is dict for group in groups)
    for group, old in zip(groups, before):
        assert group.keys() == old.keys()
        assert all(group[k] is old[k] for k in group)


def test_other_changes() -> None:
    found = rates()
    found.optimizer.param_groups[2]['betas'] = (0.5, 0.5)
    assert found.send() == ('betas of the optimizer has changed from '
                            '(0.9, 0.999) to (0.5, 0.5)')
    found = rates()
    found.optimizer.add_param_group(
        dict(params=[torch.zeros(1, requires_grad=True)]))
    assert found.send() == 'the optimizer has other groups of parameters'
