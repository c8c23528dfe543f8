import sys

import pytest
from script import load_script


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/data/build_annotations.py')


@pytest.fixture
def root(tmp_path, make_video):
    """Make a folder of two classes, of four and of three videos."""
    clip = make_video(frames=3).read_bytes()
    for name in ('walk/a.mp4', 'walk/b.mp4', 'walk/deep/c.MP4', 'walk/d.avi',
                 'run/a.mp4', 'run/b.mp4', 'run/c.mp4', 'run/notes.txt',
                 '.cache/x.mp4'):
        path = tmp_path / 'videos' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clip)
    return tmp_path / 'videos'


@pytest.fixture
def call(tool, root, monkeypatch):

    def run(*options):
        monkeypatch.setattr(sys, 'argv', ['x', str(root), *map(str, options)])
        tool.build(tool.parse_args())

    return run


def read(folder):
    return {
        name: (folder / f'{name}.txt').read_text().splitlines()
        for name in ('train', 'val', 'classes')
    }


def test_writes_the_three_files(call, root, capsys):
    call('--val-ratio', 0.5)
    files = read(root)
    assert files['classes'] == ['run', 'walk']
    assert sorted(files['train'] + files['val']) == [
        'run/a.mp4 0', 'run/b.mp4 0', 'run/c.mp4 0', 'walk/a.mp4 1',
        'walk/b.mp4 1', 'walk/d.avi 1', 'walk/deep/c.MP4 1'
    ]
    labels = [line.split()[1] for line in files['val']]
    assert labels == ['0', '0', '1', '1']
    assert '2 classes, 3 training and 4 validation' in capsys.readouterr().out


def test_split_follows_the_seed(call, root, tmp_path):
    splits = []
    for number, seed in enumerate((1, 1, *range(2, 8))):
        call('--seed', seed, '--out-dir', tmp_path / str(number))
        splits.append(read(tmp_path / str(number)))
    assert splits[0] == splits[1]
    assert any(split != splits[0] for split in splits)
    assert not (root / 'train.txt').exists()


def test_processes_do_not_change_the_result(call, root, tmp_path):
    call()
    call('--workers', 2, '--out-dir', tmp_path / 'two')
    assert read(root) == read(tmp_path / 'two')


def test_all_bad_videos_are_named_and_nothing_is_written(call, root):
    clip = (root / 'run/a.mp4').read_bytes()
    (root / 'run/a.mp4').write_bytes(b'')
    (root / 'walk/b.mp4').write_bytes(clip[:len(clip) // 2])
    (root / 'walk/b c.mp4').write_bytes(clip)
    with pytest.raises(ValueError) as error:
        call()
    message = str(error.value)
    assert '3 of 8 files' in message and '--skip-bad' in message
    for name in ('run/a.mp4: video', 'walk/b.mp4: video',
                 'walk/b c.mp4: white space'):
        assert name in message
    assert not list(root.glob('*.txt'))


def test_bad_videos_can_be_left_out_but_are_named(call, root, capsys):
    (root / 'run/a.mp4').write_bytes(b'')
    call('--skip-bad')
    assert 'run/a.mp4: video' in capsys.readouterr().out
    files = read(root)
    assert 'run/a.mp4 0' not in files['train'] + files['val']


def test_class_with_one_video_is_named(call, root):
    for name in ('a', 'b'):
        (root / f'run/{name}.mp4').unlink()
    with pytest.raises(ValueError, match='fewer than two: run;'):
        call()


def test_one_class_is_refused(call, root):
    for path in (root / 'run').iterdir():
        path.unlink()
    (root / 'run').rmdir()
    with pytest.raises(ValueError, match=r'per class.*\[.walk.\]'):
        call()


@pytest.mark.parametrize('ratio', [0, 1, -0.1])
def test_ratio_must_be_a_share(call, ratio):
    with pytest.raises(ValueError, match='--val-ratio'):
        call('--val-ratio', ratio)


def test_command_line_reports_errors_without_traceback(tool, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['x', 'no_such_folder'])
    with pytest.raises(SystemExit, match='error: no_such_folder'):
        tool.main()
