"""The copying tool: a whole run, and all ways to end."""
import errno
import json
import sys
from pathlib import Path
from typing import Any, Callable, Tuple

import pytest
from bad_videos import cut, encode
from script import load_script

from mmvideomamba.datasets import CheckedVideoDataset
from mmvideomamba.datasets.preparation import video_copy
from mmvideomamba.datasets.video import open_video

Call = Callable[..., Tuple[int, str]]
H264 = ('-c:v', 'libx264')


@pytest.fixture(scope='module')
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two good videos and a bad video, with lists."""
    folder = tmp_path_factory.mktemp('data')
    encode(folder / 'a.mp4', *H264, frames=20)
    encode(folder / 'b.avi', '-c:v', 'mpeg4', frames=20)
    cut(folder / 'a.mp4', folder / 'cut.mp4')
    (folder / 'train.txt').write_text('a.mp4 0\nb.avi 1\n')
    (folder / 'val.txt').write_text('b.avi 1\n')
    (folder / 'bad.txt').write_text('a.mp4 0\ncut.mp4 1\n')
    return folder


@pytest.fixture
def call(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
         capsys: pytest.CaptureFixture) -> Call:
    """Return a function to run the tool: exit status and output."""
    tool = load_script('tools/data/prepare_videos.py')
    monkeypatch.chdir(tmp_path)

    def run(*options: Any) -> Tuple[int, str]:
        monkeypatch.setattr(
            sys, 'argv',
            ['x', '--out', 'out', '--preset', 'ultrafast', *map(str, options)])
        status = 0
        try:
            tool.main()
        except SystemExit as stop:
            assert isinstance(stop.code, int)
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run


def test_whole_set(call: Call, videos: Path) -> None:
    status, text = call(videos, '--workers', 2, '--short-side', 32)
    assert status == 0, text
    assert '2 copies made, 0 were there' in text
    assert Path('out/train.txt').read_text() == (
        'videos/a.mp4 0\nvideos/b.mp4 1\n')
    assert Path('out/val.txt').read_text() == 'videos/b.mp4 1\n'
    with open_video('out/videos/b.mp4') as video:
        assert len(video) == 20 and video.size == (32, 42)
    # The check for missing files is on.
    data = CheckedVideoDataset('out/train.txt', [], dict(video='out'))
    assert [data[i]['label'] for i in range(2)] == [0, 1]
    report = json.loads(Path('out/report.json').read_text())
    assert report['copies'] == 2 and report['bad'] == {}
    assert report['settings']['short_side'] == 32
    status, text = call(videos, '--short-side', 32)
    assert status == 0 and '0 copies made, 2 were there' in text
    status, text = call(videos, '--short-side', 'keep')
    assert status == 2 and 'short_side=32, now 0' in text
    assert 'Traceback' not in text
    status, text = call(videos, '--short-side', 'keep', '--redo')
    assert status == 0 and '2 copies made' in text


def test_help(call: Call, videos: Path) -> None:
    status, text = call(videos, '--help')
    assert status == 0
    # The example can be pasted: the first line ends in a backslash.
    assert 'data/custom/train.txt \\\n        data/custom/val.txt' in text


def test_bad_video(call: Call, videos: Path) -> None:
    status, text = call(videos / 'bad.txt')
    assert status == 1 and 'cut.mp4 is not a video file' in text
    assert '--bad-media report' in text and not Path('out/bad.txt').exists()
    status, text = call(videos / 'bad.txt', '--bad-media', 'report')
    assert status == 0 and '1 bad videos left out' in text
    assert 'left out: video' in text
    assert Path('out/bad.txt').read_text() == 'videos/a.mp4 0\n'
    report = json.loads(Path('out/report.json').read_text())
    assert [Path(name).name for name in report['bad']] == ['cut.mp4']


def test_full_disk(call: Call, videos: Path,
                   monkeypatch: pytest.MonkeyPatch) -> None:
    finish = video_copy.finish_file

    def full(target: Path) -> None:
        if target.name == 'b.mp4':
            raise OSError(errno.ENOSPC, 'No space left on device')
        finish(target)

    with monkeypatch.context() as patch:
        patch.setattr(video_copy, 'finish_file', full)
        status, text = call(videos / 'train.txt')
    assert status == 2 and 'Traceback' not in text
    assert 'error: out cannot be written: ' in text
    assert 'No space left on device' in text and 'goes on from there' in text
    assert [p.name for p in Path('out/videos').iterdir()] == ['a.mp4']
    status, text = call(videos / 'train.txt')
    assert status == 0 and '1 copies made, 1 were there' in text


def test_interrupted(call: Call, videos: Path,
                     monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules['mmvideomamba.datasets.preparation.copied_set']
    run_tasks = module.run_tasks

    def interrupted(*args: Any) -> Any:
        yield next(run_tasks(*args))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, 'run_tasks', interrupted)
        status, text = call(videos / 'train.txt')
    assert status == 130 and 'goes on from there' in text
    status, text = call(videos / 'train.txt')
    assert status == 0 and '1 copies made, 1 were there' in text


def test_shards(call: Call, videos: Path) -> None:
    status, text = call(videos / 'train.txt', '--shards', 1)
    assert status == 0 and '2 videos in 1 shards, 0 were there' in text
    lines = Path('out/shards/train.txt').read_text().splitlines()
    assert sorted(line.split()[1] for line in lines) == ['0', '1']
    assert Path('out/shards/train-000000.tar').is_file()
    status, text = call(videos / 'train.txt', '--shards', 1)
    assert status == 0 and '2 videos in 1 shards, 1 were there' in text


@pytest.mark.parametrize('options, text', [
    (['gone.txt'], 'gone.txt does not exist'),
    (['--short-side', '3'], 'neither keep nor'),
    (['--crf', '60'], 'not from 0 to 51'),
])
def test_run_that_cannot_begin(call: Call, videos: Path, options: list,
                               text: str) -> None:
    lists = [] if options[0] == 'gone.txt' else [videos / 'train.txt']
    status, output = call(*lists, *options)
    assert status == 2 and text in output and 'Traceback' not in output
    assert not Path('out').exists()


def test_missing_encoder(call: Call, videos: Path,
                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_copy, 'ENCODER', 'libx999')
    status, text = call(videos / 'train.txt')
    assert status == 2 and 'pip install' in text and 'Traceback' not in text
