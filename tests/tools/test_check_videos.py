"""The checking tool: faults, output, written files and exit codes."""
import json
import os
import sys
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest
from bad_videos import make_bad_videos
from script import load_script

Call = Callable[..., Tuple[int, str]]


@pytest.fixture(scope='module')
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make good and bad videos once."""
    folder = tmp_path_factory.mktemp('videos')
    make_bad_videos(folder)
    return folder


@pytest.fixture
def call(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
         capsys: pytest.CaptureFixture) -> Call:
    """Return a function to run the tool: exit status and output."""
    tool = load_script('tools/data/check_videos.py')
    monkeypatch.chdir(tmp_path)

    def run(*options: Any) -> Tuple[int, str]:
        monkeypatch.setattr(sys, 'argv', [
            'x', '--root',
            str(videos), '--out', 'out.json', *map(str, options)
        ])
        with pytest.raises(SystemExit) as stop:
            tool.main()
        captured = capsys.readouterr()
        return stop.value.code, captured.out + captured.err

    return run


def write(**lists: List[str]) -> None:
    for name, lines in lists.items():
        Path(f'{name}.txt').write_text(''.join(f'{x}\n' for x in lines))


def test_clean_lists(call: Call) -> None:
    write(
        train=['whole.mp4 0', 'whole.avi 1'],
        val=['whole.mkv 0', 'short.mp4 1'])
    status, text = call('train.txt', 'val.txt', '--whole', '--workers', 2)
    assert status == 0, text
    assert '4 files (every frame, pyav' in text and 'no faults' in text
    report = json.loads(Path('out.json').read_text())
    assert report['complete'] and report['counts'] == {}
    assert all(c['whole'] for c in report['files'].values())
    assert call('.')[0] == 0  # the folder of the lists


def test_faults_of_all_kinds(call: Call, videos: Path) -> None:
    write(
        train=[
            'whole.mp4 0', './whole.mp4 1', 'lost.avi 1', 'gone.mp4 0',
            'whole.mkv 1', 'whole.webm  0', 'short.mp4 9', 'fast.mp4'
        ],
        val=['whole.mkv 1', 'whole.avi 1'],
        classes=['a', 'b', 'c'])
    status, text = call('train.txt', 'val.txt', '--min-frames', 5,
                        '--write-clean', 'new')
    assert status == 1
    report = json.loads(Path('out.json').read_text())
    assert report['counts'] == {
        'damaged': 1,
        'missing': 1,
        'short': 1,
        'duplicate': 1,
        'two-labels': 2,
        'in-two-splits': 1,
        'label-range': 1,
        'separator': 1,
        'no-label': 1,
        'class-gap': 2
    }
    for kind in report['counts']:
        assert f'[{kind}]' in text
    assert Path('new/train.txt').read_text() == 'whole.webm 0\n'
    assert Path('new/val.txt').read_text().splitlines() == [
        'whole.mkv 1', 'whole.avi 1'
    ]
    assert 'no sample is left of label 1' in text
    # A cleaned list passes the check, except for classes without videos.
    write(classes=['a', 'b'])
    assert call('new/train.txt', 'new/val.txt', '--min-frames', 5)[0] == 1
    assert call('new/val.txt', '--form', 'number')[0] == 0


def test_class_folders(call: Call, videos: Path, tmp_path: Path) -> None:
    for name in ('run', 'walk'):
        (tmp_path / 'folders' / name).mkdir(parents=True)
        os.symlink(videos / 'short.mp4', tmp_path / 'folders' / name / 'a.mp4')
    (tmp_path / 'folders' / 'run' / 'b.doc').touch()
    status, text = call('folders')
    assert status == 1 and '[two-labels]' in text
    assert 'note: 1 files in class folders' in text and 'b.doc' in text


@pytest.mark.parametrize('options, text', [
    (['gone.txt'], 'gone.txt does not exist'),
    (['empty'], 'neither lists'),
    (['a.txt', './a.txt'], 'given twice'),
    (['a.txt', '--write-clean', '.'], 'a.txt exists'),
    (['a.txt', '--classes', 'gone.txt'], 'gone.txt'),
    (['a.txt', '--reader', 'ffms'], 'reader must be'),
    (['a.txt', '--root', 'gone'], '--root gone does not exist'),
])
def test_check_that_cannot_run(call: Call, options: List[str],
                               text: str) -> None:
    Path('empty').mkdir()
    write(a=['whole.mp4 0'])
    status, output = call(*options)
    assert status == 2 and text in output and 'Traceback' not in output
    assert not Path('out.json').exists()


def test_interrupted_check_goes_on(call: Call,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    write(a=['whole.mp4 0', 'fast.mp4 0', 'whole.avi 0'])
    pool = sys.modules['mmvideomamba.datasets.preparation.media_check']
    run_tasks = pool.run_tasks

    def interrupted(*args: Any) -> Any:
        yield next(run_tasks(*args))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pool, 'run_tasks', interrupted)
        status, text = call('a.txt')
    assert status == 130 and 'goes on' in text
    report = json.loads(Path('out.json').read_text())
    assert len(report['files']) == 1 and not report['complete']
    call('a.txt')
    assert len(json.loads(Path('out.json').read_text())['files']) == 3


def test_names_that_are_no_text(call: Call, tmp_path: Path) -> None:
    for name in ('run', 'walk'):
        (tmp_path / 'folders' / name).mkdir(parents=True)
        (tmp_path / 'folders' / name / os.fsdecode(b'\xe9.mp4')).touch()
    status, text = call('folders')
    assert status == 1 and 'run/\\udce9.mp4 is empty' in text.replace(
        f'video {tmp_path}/folders/', '')
