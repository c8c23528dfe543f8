"""The table of training copies, from a small video."""
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import pytest
from bad_videos import encode

pytest.importorskip('skimage')


def test_table(bench: Callable[[str], ModuleType], tmp_path: Path,
               monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = bench('prepared_videos')
    found = module.settings_of()
    assert len(set(found.values())) == len(found) == 13
    few = {
        name: found[name]
        for name in ('default', '--short-side keep', '--crf 17')
    }
    monkeypatch.setattr(module, 'settings_of', lambda: few)
    video = encode(tmp_path / 'a.mp4', '-c:v', 'libx264', frames=25)
    lines = module.table('Title', [video], tmp_path)
    assert lines[0] == '## Title'
    rows = [line.split('|')[1:-1] for line in lines if line.startswith('| ')]
    assert [row[0].strip() for row in rows
            ] == ['settings', 'originals', 'default',
                  '--crf 17']  # the video is smaller than the default side
    default, finer = ([float(x) for x in row[1:]] for row in rows[2:])
    assert 100 > finer[1] > default[1] > 20 and finer[0] > default[0]
    assert 1 > finer[2] > default[2] > .8
    assert module.describe(video).startswith('a.mp4 (25 frames of 64 x 48')
