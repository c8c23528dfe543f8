"""Copied sets: names of the copies, resuming, bad videos."""
import os
from pathlib import Path
from typing import Any, Dict

import pytest
from list_files import write

from mmvideomamba.datasets.preparation import copied_set
from mmvideomamba.datasets.preparation.copied_set import copy_set, name_copies
from mmvideomamba.datasets.preparation.copy_record import CopyRecord
from mmvideomamba.datasets.preparation.list_inputs import read_inputs
from mmvideomamba.datasets.preparation.video_copy import (CopySettings,
                                                          VideoCopy)
from mmvideomamba.datasets.preparation.worker_pool import WorkerFault
from mmvideomamba.datasets.video import MediaError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def names_of(*lines: str, root: str = '.') -> Dict[str, str]:
    lists = read_inputs([write('train.txt', *lines)], Path(root))
    return name_copies(lists)


def test_names() -> None:
    found = names_of('a/b.avi 0', 'a/c.mp4 1', 'd 0', './a/b.avi 1')
    assert found == {
        'a/b.avi': 'a/b.mp4',
        'a/c.mp4': 'a/c.mp4',
        'd.mp4': 'd.mp4'
    }
    assert sorted(
        names_of('b.avi 0', 'b.mp4 1',
                 'b.mkv 1').values()) == ['b.avi.mp4', 'b.mkv.mp4', 'b.mp4']
    with pytest.raises(ValueError, match='would both be b.avi.mp4'):
        names_of('b.avi 0', 'b.mp4 1', 'b.avi.mp4 1')


def test_paths_outside() -> None:
    here = os.getcwd()
    Path('in').mkdir()
    with pytest.raises(ValueError) as error:
        names_of('../a.mp4 0', f'{here}/b.mp4 1', f'{here}/in/c.mp4 1',
                 'x://d.mp4 0', root='in')  # yapf: disable
    text = str(error.value)
    assert '3 lines' in text and 'c.mp4' not in text and '--root' in text
    assert 'train.txt line 1: ../a.mp4 lies outside' in text
    assert 'x://d.mp4 is not a video file' in text
    assert names_of(f'{here}/in/c.mp4 1', 'in/../d.mp4 0') == {
        f'{here}/in/c.mp4': 'in/c.mp4',
        'd.mp4': 'd.mp4'
    }


def fake_results(*kinds: str) -> Any:
    """Return a stand-in for the processes: a result for each task."""

    def run(function: Any, tasks: Any, *rest: Any) -> Any:
        for position, kind in enumerate(kinds[:len(tasks)]):
            source, target = tasks[position]
            if kind == 'hung':
                target.parent.mkdir(parents=True, exist_ok=True)
                target.with_name(target.name + '.unfinished').touch()
                yield position, WorkerFault('hung', 'was not decoded')
            elif kind == 'stop':
                raise KeyboardInterrupt
            elif kind == 'bad':
                yield position, MediaError(source, 'is cut off')
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(b'abc')
                yield position, VideoCopy(20, 3, 'none', 'kept')

    return run


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that copies three videos with given results."""
    names = {}
    for name in 'abc':
        names[str(write(f'in/{name}.avi', name))] = f'{name}.mp4'

    def run(*kinds: str, bad_media: str = 'raise', **more: Any) -> Any:
        monkeypatch.setattr(copied_set, 'run_tasks', fake_results(*kinds))
        with CopyRecord(Path('out'), CopySettings()) as record:
            return copy_set(
                more.get('names', names),
                Path('out'),
                record,
                CopySettings(),
                bad_media=bad_media,
                bar=False)

    return run


def test_a_run_goes_on(copied: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        copied('good', 'stop')
    assert copied('good', 'good')[:2] == (2, 1)
    assert copied()[:2] == (0, 3)
    write('in/b.avi', 'another')
    assert copied('good')[:2] == (1, 2)


def test_bad_media(copied: Any) -> None:
    with pytest.raises(MediaError, match='in/b.avi is cut off'):
        copied('good', 'bad', 'good')
    outcome = copied('hung', 'good', bad_media='report')
    assert outcome[:2] == (1, 1)
    assert list(outcome.bad) == ['in/b.avi']
    assert 'was not decoded' in str(outcome.bad['in/b.avi'])
    found = {p.name for p in Path('out/videos').iterdir()}
    assert found == {'a.mp4', 'c.mp4'}


def test_two_spellings(copied: Any) -> None:
    names = {os.path.abspath('in/a.avi'): 'a.mp4', 'in/a.avi': 'a.mp4'}
    outcome = copied('bad', names=names, bad_media='report')
    assert list(outcome.bad) == list(names)
    assert outcome[:2] == (0, 0)
    assert copied('good', names=names)[:2] == (1, 0)
    assert copied(names=names)[:2] == (0, 1)


def test_other_originals(copied: Any) -> None:
    copied('good', 'good', 'good')
    with pytest.raises(ValueError, match='lies in --out out'):
        copied(names={'out/videos/a.mp4': 'x.mp4'})
    write('other/a.avi', 'something else')
    with pytest.raises(ValueError, match='a.mp4 in out is the copy of .*in/a'):
        copied(names={'other/a.avi': 'a.mp4'})
    os.rename('in', 'moved')
    assert copied(names={'moved/a.avi': 'a.mp4'})[:2] == (0, 1)
