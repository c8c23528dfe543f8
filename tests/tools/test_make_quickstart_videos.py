import hashlib
import importlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import decord
import numpy as np
import pytest

pytest.importorskip('skimage', reason='the extra quickstart is not installed')
pytest.importorskip('imageio_ffmpeg', reason='quickstart is not installed')

FOLDER = Path(__file__).parents[2] / 'tools/data/quickstart'
SCRIPT = FOLDER / 'make_quickstart_videos.py'


@pytest.fixture(scope='module', autouse=True)
def script_folder():
    """Let the scripts find each other, as when one is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield


@pytest.fixture(scope='module')
def tool(script_folder):
    return importlib.import_module('make_quickstart_videos')


@pytest.fixture(scope='module')
def scenes(script_folder):
    return importlib.import_module('quickstart_scene')


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
def test_clips_are_listed_balanced_and_decodable(tool, scenes, folder, split,
                                                 count):
    names = (folder / 'classes.txt').read_text().split()
    assert tuple(names) == tool.CLASSES and len(set(names)) == 8
    clips = read_annotations(folder, split)
    assert Counter(label for _, label in clips) == dict.fromkeys(
        range(8), count // 8)
    assert {path for path, _ in clips} == set((folder / split).rglob('*.mp4'))
    for path, label in clips:
        assert path.parent.name == names[label]
        reader = decord.VideoReader(str(path), num_threads=1)
        assert scenes.NUM_FRAMES[0] <= len(reader) <= scenes.NUM_FRAMES[1]
        assert round(reader.get_avg_fps()) in tool.FRAME_RATES
        height, width, _ = reader[len(reader) - 1].shape
        assert (width, height) in scenes.FRAME_SIZES


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


def test_no_photograph_is_in_both_splits(scenes):
    names = [
        set(group['objects']) | set(group['backgrounds'])
        for group in scenes.PICTURES.values()
    ]
    assert not names[0] & names[1]
    for name in names[0] | names[1]:
        assert min(scenes.load_picture(name).shape[:2]) >= 100


def test_class_decides_nothing_but_the_order(scenes):
    for label in range(8):
        rng = np.random.default_rng(label)
        places = scenes.draw_places(rng, 24 + 6 * label)
        order = scenes.draw_order(rng, places, label)
        assert sorted(order) == list(range(len(places)))
        direction, start = scenes.CLASSES[label].split('_from_')
        steps = np.diff(places[order]) % 1
        forward = steps < 0.5
        assert forward.all() if direction == 'clockwise' else not forward.any()
        offset = places[order[0]] - scenes.STARTS.index(start) / 4
        assert abs((offset + 0.5) % 1 - 0.5) <= scenes.START_SPREAD


def test_object_is_where_its_place_says(scenes):
    scene = scenes.draw_scene(np.random.default_rng(0), 'val')
    scene.background[:] = 0
    for place, x, y in ((0, 0, -1), (0.25, 1, 0), (0.5, 0, 1), (0.75, -1, 0)):
        mask = scenes.render_frame(scene, place).max(2) > 0
        rows, columns = np.nonzero(mask)
        found = columns.mean(), rows.mean()
        wanted = (scene.centre[0] + x * scene.radius,
                  scene.centre[1] + y * scene.radius)
        # What sticks out of the frame moves the mean.
        assert np.allclose(found, wanted, atol=0.1 * scene.radius)


def test_what_sticks_out_is_cut_off(scenes):
    cutout = np.ones((4, 6, 4), np.float32) * [9, 9, 9, 1]
    for x, y, count in ((-3, 0, 12), (7, 5, 9), (-20, 0, 0), (0, 30, 0)):
        frame = np.zeros((8, 10, 3), np.uint8)
        scenes.lay_over(frame, cutout.astype(np.float32), x, y)
        assert (frame[..., 0] == 9).sum() == count


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


def test_missing_photograph_is_named(scenes):
    with pytest.raises(FileNotFoundError, match='no_such.png'):
        scenes.load_picture('no_such.png')


def test_failing_encoder_is_reported(tool, tmp_path):
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    with pytest.raises(RuntimeError, match='ffmpeg could not write .*x.mp4'):
        tool.encode(frames, 10, ['-c:v', 'no_codec'], tmp_path / 'x.mp4')


def test_command_line_reports_errors_in_one_line(tmp_path):
    done = subprocess.run([
        sys.executable,
        str(SCRIPT), '--out-dir',
        str(tmp_path / 'x'), '--train', '3'
    ],
                          capture_output=True,
                          text=True,
                          check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('error: The number of train clips')
    assert 'Traceback' not in done.stderr
