from itertools import count
from typing import Any, Callable, List, Tuple

import pytest
import torch
from late_device import LateDevice
from mmengine.logging import MessageHub

from mmvideomamba.engine.late_scalars import (LateMessageHub, give_back,
                                              on_gpu, take_over)

_numbers = count()


@pytest.fixture
def late(monkeypatch: Any) -> Tuple[LateMessageHub, LateDevice]:
    hub = MessageHub.get_instance(f'late-{next(_numbers)}')
    for key in ('loss', 'acc'):
        hub.update_scalar(key, 0)
    found = take_over(hub)
    assert found is hub
    return found, LateDevice(monkeypatch)


def history(hub: MessageHub, key: str = 'loss') -> List[float]:
    """Return the scalars arrived so far, without fetching more."""
    return hub._log_scalars[key].data[0].tolist()


def test_at_most_4_iterations_late(late: Tuple) -> None:
    hub, device = late
    loss = torch.zeros(())
    for i in range(1, 7):
        loss.fill_(i)  # as a captured step overwrites its outputs
        hub.add_late(dict(loss=loss))
        assert history(hub) == list(range(max(i - 4, 0) + 1))
    assert device.waits == 2
    device.arrive(2)
    hub.add_late(dict(loss=loss))
    assert history(hub) == [0, 1, 2, 3, 4]
    assert device.waits == 2
    hub.settle()
    assert history(hub) == [0, 1, 2, 3, 4, 5, 6, 6]


@pytest.mark.parametrize(
    'read', [
        lambda hub: hub.log_scalars['loss'],
        lambda hub: hub.get_scalar('loss'),
        lambda hub: hub.state_dict()['log_scalars']['loss'],
    ],
    ids=['log_scalars', 'get_scalar', 'state_dict'])
def test_a_reader_sees_all_values(late: Tuple, read: Callable) -> None:
    hub, device = late
    for i in range(3):
        hub.add_late(dict(loss=torch.tensor(i + 0.1)))
    wanted = [0, *(torch.tensor(i + 0.1).item() for i in range(3))]
    assert read(hub).data[0].tolist() == wanted
    assert device.waits == 3


def test_other_keys_do_not_wait(late: Tuple) -> None:
    hub, device = late
    hub.add_late(dict(loss=torch.ones(())))
    hub.update_scalar('time', 0.5)
    assert hub.get_scalar('time').current() == 0.5
    assert hub.get_scalar('acc').current() == 0
    assert device.waits == 0
    assert history(hub) == [0]


def test_a_value_at_hand_comes_after_earlier_ones(late: Tuple) -> None:
    hub, device = late
    hub.add_late(dict(loss=torch.ones(())))
    hub.update_scalars(dict(loss=2.))
    assert history(hub) == [0, 1, 2]


def test_a_new_key_is_there_at_once(late: Tuple) -> None:
    hub, device = late
    hub.add_late(dict(grad_norm=torch.ones(())))
    assert list(hub._log_scalars) == ['loss', 'acc', 'grad_norm']


def test_numbers_of_several_dtypes(late: Tuple) -> None:
    hub, device = late
    big = 2**62 + 1
    hub.add_late(dict(loss=torch.tensor(big), acc=torch.tensor(0.1), lr=0.3))
    assert len(device.events) == 2
    hub.add_late(dict(loss=0.5, acc=torch.tensor(True)))
    hub.settle()
    assert hub._log_scalars['loss'].data[0][1] == float(big)
    assert history(hub, 'acc') == [0, torch.tensor(0.1).item(), 1]
    assert history(hub, 'lr') == [0.3]


def test_several_numbers_are_refused_at_once(late: Tuple) -> None:
    hub, _ = late
    with pytest.raises(AssertionError):
        hub.add_late(dict(loss=torch.ones(()), acc=torch.ones(2)))
    assert not on_gpu(torch.ones(()))


def test_missing_history(late: Tuple) -> None:
    with pytest.raises(KeyError, match='not found'):
        late[0].get_scalar('other')


def test_hub_is_given_back(late: Tuple) -> None:
    hub, _ = late
    hub.add_late(dict(loss=torch.ones(())))
    assert take_over(hub) is hub  # a training after a failed training
    assert history(hub) == [0, 1]
    hub.add_late(dict(loss=torch.ones(())))
    give_back(hub)
    assert type(hub) is MessageHub
    assert history(hub) == [0, 1, 1]


def test_hub_of_the_user() -> None:

    class OwnHub(MessageHub):
        pass

    hub = OwnHub('own')
    assert take_over(hub) is None
    assert type(hub) is OwnHub
