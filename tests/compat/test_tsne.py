"""TSNE takes the number of iterations by both names."""
import numpy as np
import pytest

from mmvideomamba.compat import tsne

manifold = pytest.importorskip(
    'sklearn.manifold', reason='t-SNE is of scikit-learn')


def test_both_names() -> None:
    x = np.random.default_rng(0).normal(size=(12, 3))
    found = [
        manifold.TSNE(perplexity=3, random_state=0, **{name: 250})
        for name in ('n_iter', 'max_iter')
    ]
    assert found[0].get_params() == found[1].get_params()
    assert found[0].max_iter == 250
    np.testing.assert_array_equal(*(one.fit_transform(x) for one in found))


def test_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    for release in ((0, 0), (1, 6)):
        monkeypatch.setattr(tsne, 'installed_release', lambda name: release)
        assert tsne.WORKAROUND.cause() == ''
    monkeypatch.setattr(tsne, 'installed_release', lambda name: (1, 7))
    assert 'n_iter' in tsne.WORKAROUND.cause()
