"""Tokens come back as stored; their memory is stated before the run."""
import tempfile
from pathlib import Path

import pytest
import torch

from mmvideomamba.models.multimodal import token_store
from mmvideomamba.models.multimodal.token_store import TokenStore

CPU = torch.device('cpu')
TOKENS = torch.arange(30.).view(3, 5, 2) / 7


def filled(*args, **kwargs) -> TokenStore:
    store = TokenStore(*args, **kwargs)
    for video in (2, 0, 1):
        store.put(video, TOKENS[video])
    return store


@pytest.mark.parametrize('dtype', [None, 'bfloat16', 'float16'])
@pytest.mark.parametrize('storage', ['cpu', 'disk'])
def test_tokens_come_back(storage: str, dtype: str, tmp_path: Path,
                          monkeypatch) -> None:
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    store = filled(storage, dtype)
    wanted = TOKENS.to(getattr(torch, dtype or 'float32'))
    assert store.take([0, 2], CPU).equal(wanted[[0, 2]])
    store.renumber({0: 1, 1: 0, 2: 2})
    assert store.take([0], CPU).equal(wanted[[1]])
    assert sorted(store) == [0, 1, 2] and store.count(0) == 5
    # No file is left over, even by a killed process.
    assert not list(tmp_path.iterdir())


def test_tokens_are_copies() -> None:
    tokens = TOKENS.clone()
    store = TokenStore()
    store.put(0, tokens[0])
    tokens.zero_()
    assert store.take([0], CPU)[0].equal(TOKENS[0])


def test_autocast_halves_the_memory() -> None:
    with torch.autocast('cpu', torch.bfloat16):
        store = filled()
    assert store.take([0], CPU).dtype == torch.bfloat16


def test_sum_is_stated_once_before_it_is_needed(mm_log, monkeypatch) -> None:
    monkeypatch.setattr(token_store, 'free_bytes', lambda _: 2**30)
    store = TokenStore('cpu', 'float16')
    store.expected = 2**20
    store.put(0, TOKENS[0])
    store.put(1, TOKENS[1])
    assert mm_log == [
        'visual tokens for the judge: 1048576 videos x 5 tokens x 2 channels '
        "x 2 bytes = 0.02 GiB on 'cpu'; 1.00 GiB are free"
    ]


@pytest.mark.parametrize('storage, shared, fits', [
    ('cpu', 1, True),
    ('cpu', 4, False),
    ('meta', 4, True),
])
def test_sum_that_does_not_fit_is_refused(storage: str, shared: int,
                                          fits: bool, monkeypatch) -> None:
    """Processes of a machine share the memory of the host, not of a GPU."""
    monkeypatch.setattr(token_store, 'free_bytes', lambda _: 1000)
    monkeypatch.setattr(token_store, 'processes_per_node', lambda _: shared)
    store = TokenStore(storage)
    store.expected = 10
    if fits:
        store.put(0, TOKENS[0])
        return
    with pytest.raises(ValueError, match="(?s)4 processes.*token_dtype='bf"):
        store.put(0, TOKENS[0])
    assert not len(store)


@pytest.mark.parametrize('kwargs, match', [
    (dict(storage='tape'), "storage of the retrieval.*'disk'"),
    (dict(storage='xpu'), "a device of this machine, not 'xpu'"),
    (dict(dtype='int8'), "token_dtype of the retrieval.*'int8'"),
])
def test_bad_arguments(kwargs: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        TokenStore(**kwargs)
