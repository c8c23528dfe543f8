"""Traced models run on the traced shapes, and no other shapes."""
import pytest
import torch
from common import assert_close
from micro_models import classifier, recognizer

from mmvideomamba.deployment import wrap
from mmvideomamba.deployment.interface import make_interface
from mmvideomamba.deployment.program import Format, count_nodes, trace
from mmvideomamba.ops.dispatch import use_backend


def test_free_axes() -> None:
    """Any batch and any number of views run, other frames do not."""
    wrapper = wrap(recognizer()).eval()
    # The backend of the process does not matter.
    with use_backend('numba'):
        program = trace(wrapper, make_interface(wrapper))
    module = program.module()
    for free in ((1, 1), (1, 4), (5, 2)):
        x = wrapper.random_input(free)
        for found, expected in zip(module(x), wrapper(x)):
            assert_close(found, expected, 'chain')
    assert not any('dropout' in str(n.target) and n.args[2]
                   for n in program.graph.nodes if n.op == 'call_function')
    with pytest.raises(Exception, match='(?i)guard|mismatch'):
        module(torch.zeros(1, 1, 4, 16, 16, 3, dtype=torch.uint8))


def test_a_fixed_batch() -> None:
    """A static file takes the traced batch size and no other."""
    wrapper = wrap(classifier()).eval()
    program = trace(wrapper, make_interface(wrapper, batch=1))
    module = program.module()
    x = wrapper.random_input((1, ))
    assert_close(module(x)[1], wrapper(x)[1], 'chain')
    with pytest.raises(Exception, match='(?i)guard|mismatch'):
        module(wrapper.random_input((2, )))
    assert 10 < count_nodes(program.graph_module) < 400


def test_missing_packages() -> None:
    """A format names its missing packages."""

    def unused(*args):
        raise AssertionError

    kind = Format('.a', ('torch', 'no_such_package'), '', unused, unused,
                  unused)
    assert kind.missing() == ('no_such_package', )
    assert kind.install() == 'pip install torch no_such_package'
    assert 'onnxscript' in kind._replace(extra='export').install()
