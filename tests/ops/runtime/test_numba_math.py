import numpy as np
import pytest

numba = pytest.importorskip('numba')


@pytest.fixture(scope='module')
def functions():
    """Return exp2 and softplus, mapped over float32 arrays."""
    from mmvideomamba.ops.runtime import numba_math

    def mapped(function):

        @numba.njit
        def loop(x, y):
            for i in range(len(x)):
                y[i] = function(x[i])

        def call(values):
            x = np.asarray(values, np.float32)
            y = np.empty_like(x)
            loop(x, y)
            return y

        return call

    return mapped(numba_math.exp2), mapped(numba_math.softplus)


def relative_error(found, wanted):
    return np.max(np.abs(found.astype(np.float64) - wanted) / np.abs(wanted))


def test_exp2(functions):
    x = np.linspace(-125, 126, 20001).astype(np.float32)
    wanted = np.exp2(x.astype(np.float64))
    assert relative_error(functions[0](x), wanted) < 2e-7


def test_exp2_of_whole_numbers_is_exact(functions):
    # Zero is a step of no length: its decay must be one, or states grow.
    x = np.arange(-126, 128)
    assert (functions[0](x) == np.exp2(x.astype(np.float64))).all()


def test_exp2_below_zero_is_not_above_one(functions):
    assert (functions[0](-np.logspace(-12, -2, 201)) <= 1).all()


def test_exp2_saturates(functions):
    low, high = functions[0]([-1e9, 1e9])
    assert 0 <= low < 2e-38 and 1e38 < high < np.inf


def test_softplus(functions):
    x = np.concatenate([np.linspace(-80, 80, 4001), [-1e-3, 0, 1e-3]])
    x = x.astype(np.float32)
    wanted = np.logaddexp(0, x.astype(np.float64))
    # The argument of the exponential is rounded once: 80 * 6e-8.
    assert relative_error(functions[1](x), wanted) < 6e-6


def test_nan_stays(functions):
    for function in functions:
        assert np.isnan(function([np.nan])).all()
