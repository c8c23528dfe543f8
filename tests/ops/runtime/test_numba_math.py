import numpy as np
import pytest

numba = pytest.importorskip('numba')


@pytest.fixture(scope='module')
def functions():
    """Return the functions of vectors by name, mapped over arrays."""
    from mmvideomamba.ops.runtime import numba_math
    from mmvideomamba.ops.runtime.numba_vectors import WIDTH, load, store

    def mapped(function):

        @numba.njit
        def loop(x, y):
            for i in range(0, len(x), WIDTH):
                store(y, (i, ), function(load(x, (i, ))))

        def call(values):
            x = np.asarray(values, np.float32)
            padded = np.pad(x, (0, -len(x) % WIDTH))
            y = np.empty_like(padded)
            loop(padded, y)
            return y[:len(x)]

        return call

    names = ('exp2', 'softplus', 'sigmoid', 'softplus_slope')
    return {name: mapped(getattr(numba_math, name)) for name in names}


@pytest.fixture(scope='module')
def decay():
    """Return the decay, mapped over two float32 arrays."""
    from mmvideomamba.ops.runtime import numba_math
    from mmvideomamba.ops.runtime.numba_vectors import WIDTH, load, store

    @numba.njit
    def loop(s, a, y):
        for i in range(0, len(s), WIDTH):
            store(y, (i, ), numba_math.decay(load(s, (i, )), load(a, (i, ))))

    def call(s, a):
        y = np.empty_like(s)
        loop(s, a, y)
        return y

    return call


def relative_error(found, wanted):
    return np.max(np.abs(found.astype(np.float64) - wanted) / np.abs(wanted))


def test_exp2(functions):
    x = np.linspace(-125, 126, 20001).astype(np.float32)
    wanted = np.exp2(x.astype(np.float64))
    assert relative_error(functions['exp2'](x), wanted) < 2e-7


def test_exp2_of_whole_numbers_is_exact(functions):
    # A step size of zero must give a decay of exactly one, or states grow.
    x = np.arange(-126, 128)
    assert (functions['exp2'](x) == np.exp2(x.astype(np.float64))).all()


def test_exp2_below_zero_is_not_above_one(functions):
    assert (functions['exp2'](-np.logspace(-12, -2, 201)) <= 1).all()


def test_exp2_saturates(functions):
    low, high = functions['exp2']([-1e9, 1e9])
    assert 0 <= low < 2e-38 and 1e38 < high < np.inf


def test_softplus(functions):
    x = np.concatenate([np.linspace(-80, 80, 4001), [-1e-3, 0, 1e-3]])
    x = x.astype(np.float32)
    wanted = np.logaddexp(0, x.astype(np.float64))
    # The argument of the exponential is rounded once: 80 * 6e-8.
    assert relative_error(functions['softplus'](x), wanted) < 6e-6


def test_nan_stays(functions):
    for function in functions.values():
        assert np.isnan(function([np.nan])).all()


def test_decay(decay):
    # 2 ** (s * a) without a rounded product.
    s = np.linspace(0, 5, 16000).astype(np.float32)
    a = np.resize(np.linspace(-25, 25, 17), 16000).astype(np.float32)
    exact = np.exp2(s.astype(np.float64) * a)
    assert relative_error(decay(s, a), exact) < 2e-7
    assert (decay(np.zeros_like(s), a) == 1).all()


def test_sigmoid(functions):
    x = np.linspace(-80, 80, 4001).astype(np.float32)
    wanted = 1 / (1 + np.exp(-x.astype(np.float64)))
    assert relative_error(functions['sigmoid'](x), wanted) < 6e-6


def test_slope_of_softplus_from_its_value(functions):
    s = np.logspace(-12, 1.9, 4001).astype(np.float32)
    wanted = -np.expm1(-s.astype(np.float64))
    assert relative_error(functions['softplus_slope'](s), wanted) < 2e-6
