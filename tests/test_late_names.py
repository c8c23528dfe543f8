"""Packages import names late, and a wrong name is an AttributeError."""
import importlib

import pytest

ROOMS = ('mmvideomamba', 'mmvideomamba.command_line', 'mmvideomamba.datasets',
         'mmvideomamba.datasets.preparation')


@pytest.mark.parametrize('room', ROOMS)
def test_every_public_name_is_found(room: str) -> None:
    module = importlib.import_module(room)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in vars(module)


@pytest.mark.parametrize('room', ROOMS)
def test_unknown_name(room: str) -> None:
    with pytest.raises(AttributeError, match=f"'{room}' has no attribute 'x'"):
        importlib.import_module(room).x
