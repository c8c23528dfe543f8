"""The benchmark of the search writes an index and measures it."""
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / 'benchmarks'


@pytest.mark.parametrize('precision, item', [('float32', 4), ('float16', 2)])
def test_tiny_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                    precision: str, item: int) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import search
    search.write_index(tmp_path, 250, 8, precision)
    found = search.measure(tmp_path / 'index', 2)
    assert set(found) | {'windows', 'precision', 'size'} == set(search.COLUMNS)
    assert 0 < found['best'] <= found['median']
    index = search.VideoIndex.open(tmp_path / 'index')
    assert [one.windows for one in index.videos] == [100, 100, 50]
    vectors = index.store.folder / 'vectors.bin'
    assert vectors.stat().st_size == 250 * 8 * item
