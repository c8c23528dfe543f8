import hashlib
import subprocess
import sys
from collections import Counter

import cv2
import pytest
from script import ROOT, load_script

from mmvideomamba.datasets.preparation import quickstart_scene
from mmvideomamba.datasets.video.choice import open_video

pytest.importorskip('skimage', reason='the extra quickstart is not installed')
pytest.importorskip('imageio_ffmpeg', reason='quickstart is not installed')

SCRIPT = 'tools/data/quickstart/make_quickstart_videos.py'


@pytest.fixture(scope='module')
def tool():
    return load_script(SCRIPT)


@pytest.fixture(scope='module')
def folder(tool, tmp_path_factory):
    out_dir = tmp_path_factory.mktemp('set') / 'quickstart'
    assert tool.make_set(out_dir, 16, 8, seed=3)
    return out_dir


def read_annotations(folder, split):
    lines = (folder / f'{split}.txt').read_text().splitlines()
    return [(folder / path, int(label))
            for path, label in (line.split() for line in lines)]


def checksums(folder):
    return {
        path.relative_to(folder).as_posix():
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob('*') if path.is_file()
    }


@pytest.mark.parametrize('split, count', [('train', 16), ('val', 8)])
def test_clips_are_listed_balanced_and_decodable(tool, folder, split, count):
    names = (folder / 'classes.txt').read_text().split()
    assert tuple(names) == tool.CLASSES and len(set(names)) == 8
    clips = read_annotations(folder, split)
    assert Counter(label for _, label in clips) == dict.fromkeys(
        range(8), count // 8)
    assert {path for path, _ in clips} == set((folder / split).rglob('*.mp4'))
    for path, label in clips:
        assert path.parent.name == names[label]
        with open_video(str(path)) as reader:
            assert quickstart_scene.NUM_FRAMES[0] <= len(
                reader) <= quickstart_scene.NUM_FRAMES[1]
            assert round(reader.avg_fps) in tool.FRAME_RATES
            last, = reader.get_frames([len(reader) - 1])
        height, width, _ = last.shape
        assert (width, height) in quickstart_scene.FRAME_SIZES


def test_clips_differ_in_length_rate_size_and_codec(folder):
    clips = [p for p, _ in read_annotations(folder, 'train')]
    captures = [cv2.VideoCapture(str(path)) for path in clips]
    for prop in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS,
                 cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FOURCC):
        assert len({capture.get(prop) for capture in captures}) > 1


def test_same_seed_makes_the_same_bytes_in_any_number_of_processes(
        tool, folder, tmp_path):
    tool.make_set(tmp_path / 'again', 16, 8, seed=3, num_workers=2)
    assert checksums(tmp_path / 'again') == checksums(folder)


def test_more_clips_keep_the_first_and_seeds_differ(tool, folder, tmp_path):
    for seed, same in ((3, True), (4, False)):
        tool.make_clip(('train', 5), tmp_path, seed)
        name = tool.clip_name('train', 5)
        found = (tmp_path / name).read_bytes() == (folder / name).read_bytes()
        assert found is same


def test_complete_set_is_left_alone(tool, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob('*')}
    assert not tool.make_set(folder, 16, 8, seed=3)
    assert before == {p: p.stat().st_mtime_ns for p in folder.rglob('*')}


def test_interrupted_set_is_made_anew(tool, tmp_path):
    tool.make_set(tmp_path, 8, 8)
    missing = tmp_path / tool.clip_name('val', 2)
    content = missing.read_bytes()
    missing.unlink()
    assert tool.make_set(tmp_path, 8, 8)
    assert missing.read_bytes() == content


def test_other_settings_need_overwrite(tool, tmp_path):
    tool.make_set(tmp_path, 8, 8)
    with pytest.raises(FileExistsError, match='--overwrite'):
        tool.make_set(tmp_path, 16, 8)
    note = tmp_path / 'note.txt'
    note.write_text('mine')
    assert tool.make_set(tmp_path, 16, 8, overwrite=True)
    assert len(read_annotations(tmp_path, 'train')) == 16
    assert note.exists()


def test_foreign_folder_is_refused(tool, tmp_path):
    (tmp_path / 'note.txt').write_text('mine')
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match='--out-dir'):
            tool.make_set(tmp_path, 8, 8, overwrite=overwrite)
    assert [p.name for p in tmp_path.iterdir()] == ['note.txt']


@pytest.mark.parametrize('train, val, seed, message', [
    (12, 8, 0, 'train clips .* 12'),
    (8, 0, 0, 'val clips .* 0'),
    (8, 8, -1, 'seed .* -1'),
])
def test_bad_numbers_are_refused(tool, tmp_path, train, val, seed, message):
    with pytest.raises(ValueError, match=message):
        tool.make_set(tmp_path / 'x', train, val, seed)
    assert not (tmp_path / 'x').exists()


def test_command_line_reports_errors_in_one_line(tmp_path):
    done = subprocess.run([
        sys.executable,
        str(ROOT / SCRIPT), '--out-dir',
        str(tmp_path / 'x'), '--train', '3'
    ],
                          capture_output=True,
                          text=True,
                          check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('error: The number of train clips')
    assert 'Traceback' not in done.stderr
