import shutil
import sys

import pytest
from script import load_script

from mmvideomamba.datasets.preparation import read_checks


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
        arguments = ['x', str(run.root), *map(str, options)]
        monkeypatch.setattr(sys, 'argv', arguments)
        tool.build(tool.parse_args())

    run.root = root
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
    out = capsys.readouterr().out
    assert '2 classes in classes.txt, videos: 3 in train.txt, 4 in' in out
    assert 'run/notes.txt' in out and 'some videos are the same' in out
    assert (root / 'left_out.txt').read_text().splitlines() == [
        '.cache\tis a hidden folder',
        'run/notes.txt\thas the ending .txt, not a known kind of video'
    ]


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
    for name in ('run/a.mp4: is empty', 'walk/b.mp4: is not a video',
                 'walk/b c.mp4: white space'):
        assert name in message
    assert not list(root.glob('*.txt'))


def test_bad_videos_can_be_left_out_but_are_named(call, root, capsys):
    (root / 'run/a.mp4').write_bytes(b'')
    call('--skip-bad')
    assert 'run/a.mp4: is empty' in capsys.readouterr().out
    files = read(root)
    assert 'run/a.mp4 0' not in files['train'] + files['val']
    assert 'run/a.mp4' in (root / 'left_out.txt').read_text()


def test_class_with_one_video_is_named(call, root):
    for name in ('a', 'b'):
        (root / f'run/{name}.mp4').unlink()
    with pytest.raises(ValueError, match='run: 1 of 1 videos'):
        call()


def test_class_is_not_lost_in_silence(call, root, capsys):
    for path in root.glob('run/*.mp4'):
        path.write_bytes(b'')
    (root / 'jump').mkdir()
    for name in ('a', 'b'):
        shutil.copy(root / 'walk/a.mp4', root / f'jump/{name}.mp4')
    with pytest.raises(ValueError, match='run: 0 of 3 videos'):
        call('--skip-bad')
    assert not list(root.glob('*.txt'))
    call('--skip-bad', '--drop-classes')
    assert read(root)['classes'] == ['jump', 'walk']
    assert 'class run is left out as a whole' in capsys.readouterr().out


def test_one_frame_is_a_fault_unless_allowed(call, root, make_video):
    make_video(frames=1).replace(root / 'run/a.mp4')
    with pytest.raises(ValueError, match='run/a.mp4: has 1 frame'):
        call()
    call('--min-frames', 1)
    files = read(root)
    assert 'run/a.mp4 0' in files['train'] + files['val']


def test_names_with_spaces(call, root, capsys):
    (root / 'run').rename(root / 'run fast')
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value).count('run fast') == 1  # once for the folder
    call('--delimiter', ',')
    files = read(root)
    assert 'run fast/a.mp4,0' in files['train'] + files['val']
    assert "names it: delimiter=','" in capsys.readouterr().out


def test_split_folders(call, root, capsys):
    for split, names in dict(train=['run', 'walk'], test=['walk']).items():
        for name in names:
            path = root.parent / 'splits' / split / name / 'a.mp4'
            path.parent.mkdir(parents=True)
            path.write_bytes((root / 'walk/a.mp4').read_bytes())
    call.root = root.parent / 'splits'
    call('--min-frames', 3)
    out = capsys.readouterr().out
    assert (call.root / 'train.txt').read_text() == (
        'train/run/a.mp4 0\ntrain/walk/a.mp4 1\n')
    assert (call.root / 'test.txt').read_text() == 'test/walk/a.mp4 1\n'
    assert not (call.root / 'val.txt').exists()
    assert 'without a video in the split test: run' in out
    with pytest.raises(ValueError, match='split already'):
        call('--folds', 2)


def test_folds(call, root, capsys):
    (root / 'val.txt').touch()
    call('--folds', 3)
    assert 'val.txt is of an earlier run' in capsys.readouterr().out
    for number in (1, 2, 3):
        lines = [(root / f'{split}_fold{number}.txt').read_text().splitlines()
                 for split in ('train', 'val')]
        assert len(lines[0] + lines[1]) == len(set(lines[0] + lines[1])) == 7
        assert {line.split()[1] for line in lines[1]} == {'0', '1'}
    assert not (root / 'train.txt').exists()
    with pytest.raises(ValueError, match='run: 3 of 3 videos'):
        call('--folds', 4)


def test_given_numbering(call, root, tmp_path, capsys):
    names = tmp_path / 'names.txt'
    names.write_bytes('\ufeffwalk\n\njump\nrun\n'.encode())
    call('--classes', names)
    files = read(root)
    assert files['classes'] == ['walk', 'jump', 'run']
    assert 'run/a.mp4 2' in files['train'] + files['val']
    assert 'without a video in the folders: jump' in capsys.readouterr().out


def test_report_is_kept_and_used(call, root, tmp_path):
    report = tmp_path / 'report.json'
    call('--report', report)
    before = read_checks(report)
    assert len(before) == 7 and all(c.frames == 3 for c in before.values())
    report.write_text(report.read_text().replace('"frames": 3', '"frames": 1'))
    with pytest.raises(ValueError, match='7 of 7 files'):
        call('--report', report)


@pytest.mark.parametrize('options, text', [
    (['--folds', 1], '--folds must'),
    (['--folds', 2, '--val-ratio', 0.5], 'exclude'),
    (['--endings', 'mp5'], 'begin with a dot'),
    (['--layout', 'splits'], 'no folders of splits'),
])
def test_options_that_do_not_fit(call, options, text):
    with pytest.raises(ValueError, match=text):
        call(*options)


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
