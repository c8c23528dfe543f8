"""Vectors as variables of compiled kernels."""
import numpy as np
import pytest

numba = pytest.importorskip('numba')

from mmvideomamba.ops.runtime import numba_vectors as v  # noqa: E402


@numba.njit(error_model='numpy')
def compute(x, numbers, y, sums):
    """Use every function once."""
    p, q = v.load(x, (0, 1, 0)), v.load(x, (1, 1, 2))
    third = v.load_splat(numbers, (1, 2))
    results = (p + q, p - q, p * q, p / q, v.fma(p, q, third), v.vmax(p, q),
               v.vabs(p), v.splat(numbers[0, 1]))
    for i, result in enumerate(results):
        v.store(y, (i, 1), result)
        sums[i] = v.total(result)


def test_functions_are_those_of_numpy():
    rng = np.random.default_rng(0)
    # Every second row of a wider array: strides, and no alignment.
    x = rng.standard_normal((2, 4, v.WIDTH + 3)).astype(np.float32)[:, ::2, 1:]
    numbers = rng.standard_normal((2, 3)).astype(np.float32)
    y = np.zeros((8, v.WIDTH + 2), np.float32)
    sums = np.zeros(8, np.float32)
    compute(x, numbers, y, sums)
    p, q = x[0, 1, :v.WIDTH], x[1, 1, 2:2 + v.WIDTH]
    wanted = [
        p + q, p - q, p * q, p / q, p * q + numbers[1, 2],
        np.maximum(p, q),
        np.abs(p),
        np.full(v.WIDTH, numbers[0, 1])
    ]
    np.testing.assert_allclose(y[:, 1:-1], wanted, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(sums, np.sum(wanted, 1), rtol=1e-5, atol=1e-5)
    # Nothing beyond the vectors is written.
    assert (y[:, [0, -1]] == 0).all()


def test_a_vector_and_a_number_do_not_mix():

    @numba.njit
    def wrong(x):
        return v.total(v.load(x, (0, )) + x[0])

    with pytest.raises(numba.core.errors.TypingError):
        wrong(np.zeros(v.WIDTH, np.float32))
