"""Threads of the numba kernels."""
import threading

import pytest
import torch

pytest.importorskip('numba')

from mmvideomamba.ops.runtime import numba_threads  # noqa: E402


@pytest.fixture(params=['openmp', 'pool'])
def threads(request, monkeypatch):
    """Run work items on three threads of either kind."""
    if request.param == 'openmp' and numba_threads._openmp() is None:
        pytest.skip('torch comes without the GNU OpenMP runtime')
    monkeypatch.setenv('MMVIDEOMAMBA_THREADS', request.param)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize('items', [1, 2, 3, 8])
def test_every_item_runs_once(threads, items):
    ranges, lock = [], threading.Lock()

    def work(start, first, end):
        with lock:
            ranges.extend(range(start + first, start + end))

    numba_threads.run(work, items, 10)
    assert sorted(ranges) == list(range(10, 10 + items))


def test_an_error_in_a_thread_is_raised(threads):

    def work(first, end):
        if first == 0:
            raise KeyError('item 0')

    with pytest.raises(KeyError, match='item 0'):
        numba_threads.run(work, 3)


def test_arrays():
    x = torch.arange(6.).view(2, 3)
    assert numba_threads.to_numpy(x).base is not None
    array = numba_threads.to_numpy(x.t().bfloat16().requires_grad_())
    assert array.dtype == 'float32' and array.flags.c_contiguous
    assert (array == x.t().numpy()).all()
