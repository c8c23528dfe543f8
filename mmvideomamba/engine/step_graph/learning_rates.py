"""Learning rates of an optimizer on the device."""
from contextlib import contextmanager
from operator import itemgetter
from typing import Dict, Iterator, List, Tuple

import torch
from torch.optim import Optimizer


def make_groups_plain(optimizer: Optimizer) -> None:
    """Turn the groups of an optimizer into plain dictionaries, in place.

    mmengine makes a group of each parameter, a ``ConfigDict``. To read
    the settings of hundreds of groups in each step takes milliseconds.

    Args:
        optimizer (Optimizer): Of any kind.
    """
    groups = optimizer.param_groups
    groups[:] = [{name: group[name] for name in group} for group in groups]


class LearningRates:
    """Learning rates of an optimizer on the device.

    Groups with equal settings and equal learning rates share a number, and
    are updated as a single group inside of a graph.

    Args:
        optimizer (Optimizer): With fused kernels.
        device (torch.device): Of the parameters.
    """

    def __init__(self, optimizer: Optimizer, device: torch.device) -> None:
        self.optimizer = optimizer
        self.names = [x for x in optimizer.defaults if x != 'lr']
        self._settings = itemgetter(*self.names)
        self.settings = list(map(self._settings, optimizer.param_groups))
        self.read = self._read()
        self.members: Dict[Tuple, List[int]] = {}
        for i, rate in enumerate(self.read):
            # By the text: lists of a config, as of betas, have no hash.
            key = repr(self.settings[i]), rate
            self.members.setdefault(key, []).append(i)
        # float32, as the fused kernels read a rate on the device, see
        # ``float32_rates``.
        self.rates = torch.tensor([rate for _, rate in self.members],
                                  dtype=torch.float32,
                                  device=device)

    def _read(self) -> List[float]:
        """Return the learning rate of each group."""
        return [float(group['lr']) for group in self.optimizer.param_groups]

    def send(self) -> str:
        """Send the learning rates to the device, if there are new ones.

        Returns:
            str: Why a graph is out of date; '' if it is not.
        """
        settings = list(map(self._settings, self.optimizer.param_groups))
        if settings != self.settings:
            return self._difference(settings)
        read = self._read()
        if read == self.read:
            return ''
        rates: List[float] = []
        for members in self.members.values():
            each = {read[i] for i in members}
            if len(each) > 1:
                return 'learning rates that were equal differ'
            rates += each
        self.read = read
        new = torch.tensor(rates, dtype=torch.float32)
        if self.rates.is_cuda:
            # A copy from pageable memory would wait for the device.
            new = new.pin_memory()
        self.rates.copy_(new, non_blocking=True)
        return ''

    def _difference(self, settings: List[Tuple]) -> str:
        """Name the first setting that has changed."""
        for now, before in zip(settings, self.settings):
            for name, new, old in zip(self.names, now, before):
                if new != old:
                    return (f'{name} of the optimizer has changed from '
                            f'{old} to {new}')
        return 'the optimizer has other groups of parameters'

    @contextmanager
    def merged(self) -> Iterator[None]:
        """Have few groups for a while, with learning rates on the device."""
        optimizer = self.optimizer
        groups = optimizer.param_groups
        # A fused kernel runs for each group, and mmengine makes a group of
        # each parameter.
        merged = []
        for rate, members in zip(self.rates.unbind(), self.members.values()):
            first = dict(groups[members[0]])
            first.update(
                params=[p for i in members for p in groups[i]['params']],
                lr=rate)
            if 'capturable' in optimizer.defaults:
                # torch asks for the flag inside of a graph; the fused
                # kernels do the same with and without.
                first['capturable'] = True
            merged.append(first)
        optimizer.param_groups = merged
        try:
            yield
        finally:
            optimizer.param_groups = groups
