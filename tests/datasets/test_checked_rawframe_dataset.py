"""Folders of frames: the host's samples, checked, and the bad image named."""
import copy
import re
import textwrap
from pathlib import Path
from typing import Any, Callable, List

import cv2
import numpy as np
import pytest
from mmaction.datasets import RawframeDataset
from mmengine.config import Config
from mmengine.registry import init_default_scope
from script import ROOT

from mmvideomamba.datasets import CheckedRawframeDataset
from mmvideomamba.datasets.bad_medium import bad_media_in
from mmvideomamba.datasets.samplers import Place
from mmvideomamba.registry import DATASETS

Make = Callable[..., CheckedRawframeDataset]
GOOD = 'a 6 0\nsub/b 2 2\n'


def write_frames(folder: Path, frames: int, start: int = 1) -> None:
    """Write images of grey level 8 times the frame number."""
    folder.mkdir(parents=True)
    for i in range(frames):
        image = np.full((16, 24, 3), 8 * i, np.uint8)
        cv2.imwrite(str(folder / f'img_{start + i:05}.jpg'), image)


def numbers(sample: dict) -> List[int]:
    """Read the numbers of the frames from the grey levels."""
    return [round(image.mean() / 8) for image in sample['imgs']]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function to write an annotation file and build the data set."""
    write_frames(tmp_path / 'a', 6)
    write_frames(tmp_path / 'sub/b', 2)

    def build(text: str, cls: type = CheckedRawframeDataset, **kwargs: Any):
        (tmp_path / 'ann.txt').write_text(text)
        kwargs.setdefault('pipeline', [])
        kwargs.setdefault('data_prefix', dict(img=str(tmp_path)))
        return cls(ann_file=str(tmp_path / 'ann.txt'), **kwargs)

    return build


@pytest.mark.parametrize('text, options', [
    (GOOD, dict()),
    (GOOD, dict(num_classes=3, test_mode=True)),
    ('a 6\nsub/b 2\n', dict(test_mode=True)),
    ('a 6 0 2\nsub/b 2 1\n', dict(multi_class=True, num_classes=3)),
    ('a 2 4 0\nsub/b 0 2 1\n', dict(with_offset=True)),
])
def test_good_file_gives_what_the_host_gives(make: Make, text: str,
                                             options: dict) -> None:
    found = make(text, **copy.deepcopy(options))
    expected = make(text, RawframeDataset, **copy.deepcopy(options))
    assert len(found) == len(expected) == 2
    for i in range(2):
        one, other = found.get_data_info(i), expected.get_data_info(i)
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[key], other[key]) for key in other)


def test_delimiter_of_the_published_lists(make: Make) -> None:
    data = make(GOOD.replace(' ', ','), delimiter=',')
    assert [data.get_data_info(i)['label'] for i in range(2)] == [0, 2]


@pytest.mark.parametrize('line, options, reason', [
    ('a', {}, "'a' has 1 columns separated by ' '"),
    ('a,6,0', {}, "'a,6,0' has 1 columns separated by ' '"),
    ('a 6 0 1', {}, "'a 6 0 1' has 4 columns"),
    ('a 6', {}, "'a 6' has no label"),
    ('a x 0', {}, "FRAMES 'x' is not an integer of at least 1"),
    ('a 0 0', {}, "FRAMES '0' is not an integer of at least 1"),
    ('a -1 6 0', dict(with_offset=True), "OFFSET '-1' is not an integer of"),
    ('a 6 3', dict(num_classes=3), 'label 3 is out of range'),
])
def test_bad_line_is_named(make: Make, line: str, options: dict,
                           reason: str) -> None:
    good = 'a 0 6 0' if options.get('with_offset') else 'a 6 0'
    with pytest.raises(ValueError, match=f'line 2: .*{reason}') as caught:
        make(f'{good}\n{line}\n', **options)
    assert 'A line is FOLDER ' in str(caught.value)


def test_missing_folder_and_missing_frames(make: Make, tmp_path: Path) -> None:
    with pytest.raises(
            FileNotFoundError, match='1 of 2 folders do not exist') as caught:
        make('a 6 0\nno 2 1')
    assert f'line 2: {tmp_path}/no\n' in str(caught.value)
    with pytest.raises(
            FileNotFoundError,
            match='1 of 2 folders have fewer frames than announced') as caught:
        make('a 6 0\nsub/b 3 1')
    assert f'line 2: {tmp_path}/sub/b/img_00003.jpg\n' in str(caught.value)
    with pytest.raises(FileNotFoundError, match='img_00008.jpg'):
        make('a 2 6 0', with_offset=True)
    assert len(make('no 6 0\nsub/b 3 1', check_files=False)) == 2


def test_flow_has_two_images_a_frame(make: Make, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'a/x_1.jpg'), np.zeros((4, 4), np.uint8))
    options = dict(modality='Flow', filename_tmpl='{}_{}.jpg')
    assert len(make('a 1 0', **options)) == 1
    with pytest.raises(FileNotFoundError, match='x_2.jpg'):
        make('a 2 0', **options)


def test_regression_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match='regression=True is not supported'):
        make(GOOD, regression=True)


@pytest.mark.parametrize('sampler, expected', [
    (dict(type='mmvideomamba.SegmentSample', raw_frames=True), [[0, 1, 2, 3],
                                                                [0, 0, 0, 1]]),
    (dict(type='mmvideomamba.SegmentSample'), [[0, 2, 3, 5], [0, 0, 1, 1]]),
    (dict(type='mmaction.UniformSample'), None),
])
@pytest.mark.parametrize('cls', [RawframeDataset, CheckedRawframeDataset])
@pytest.mark.parametrize(
    'decoder', ['mmaction.RawFrameDecode', 'mmvideomamba.DecodeRawFrames'])
def test_samplers_count_from_the_first_image(make: Make, sampler: dict,
                                             expected: list, cls: type,
                                             decoder: str) -> None:
    pipeline = [
        dict(clip_len=4, test_mode=True, **sampler),
        dict(type=decoder),
    ]
    data = make(GOOD, cls, pipeline=pipeline, test_mode=True)
    for i in range(2):
        sample = data[i]
        assert numbers(sample) == (sample['frame_inds'] - 1).tolist()
        assert expected is None or numbers(sample) == expected[i]


def test_copies_share_their_frames(make: Make) -> None:
    pipeline = [
        dict(type='mmvideomamba.SegmentSample', clip_len=3),
        dict(type='mmvideomamba.DecodeRawFrames'),
        dict(type='mmaction.Flip', flip_ratio=0.)
    ]
    first, second = make(GOOD, pipeline=pipeline, num_repeats=2)[0]
    assert numbers(first) == numbers(second)
    first['imgs'][0][:] = 255
    assert second['imgs'][0].max() < 255


def test_built_by_its_config_name(make: Make, tmp_path: Path) -> None:
    make(GOOD)
    data = DATASETS.build(
        dict(
            type='mmvideomamba.CheckedRawframeDataset',
            data_root=str(tmp_path),
            ann_file='ann.txt',
            pipeline=[]))
    assert data.get_data_info(1)['frame_dir'] == str(tmp_path / 'sub/b')


RECIPES = [
    ('configs/recognition/sthv2/README.md',
     'sthv2/videomamba-tiny_in1k-pre_8xb64-u8-35e_sthv2-rgb.py',
     'SegmentSample'),
    ('docs/your_own_videos.md',
     'custom/videomamba-tiny_1xb8-u8-25e_custom-rgb.py', 'UniformSample'),
]


@pytest.mark.parametrize('page, recipe, sampler', RECIPES)
def test_recipe_of_the_docs(make: Make, tmp_path: Path, page: str, recipe: str,
                            sampler: str) -> None:
    """The child config shown there reads folders of frames."""
    shown = [
        textwrap.dedent(code) for code in re.findall(r'```python\n(.*?)```', (
            ROOT / page).read_text(), re.S) if 'CheckedRawframeDataset' in code
    ]
    base = ROOT / 'configs/recognition' / recipe
    lines = ''.join(shown).splitlines()
    child = tmp_path / 'child.py'
    child.write_text('\n'.join([
        f'_base_ = {str(base)!r}',
        *(line for line in lines if not line.startswith('_base_ ='))
    ]))
    config = Config.fromfile(child)
    init_default_scope(config.default_scope)
    make(GOOD)
    (tmp_path / 'frames').symlink_to(tmp_path)
    for part in ('train', 'val', 'test'):
        dataset = config[f'{part}_dataloader'].dataset
        dataset.update(
            data_root=str(tmp_path), ann_file='ann.txt', metainfo=None)
        data = DATASETS.build(dataset)
        sample, decode = data.pipeline.transforms[:2]
        assert type(sample).__name__ == sampler
        assert type(decode).__name__ == 'DecodeRawFrames'
        assert getattr(sample, 'raw_frames', True)
        frames = decode(sample(data.get_data_info(1)))
        assert set(numbers(frames)) <= {0, 1}


def test_bad_images_count_by_folder(make: Make, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f'a/img_{number:05}.jpg').write_bytes(b'no image')
    pipeline = [
        dict(type='UniformSample', clip_len=2, test_mode=True),
        dict(type='mmvideomamba.DecodeRawFrames'),
        dict(type='PackActionInputs')
    ]
    init_default_scope('mmaction')
    data = make(
        GOOD, pipeline=pipeline, bad_media='replace', max_bad_share=0.5)
    for position in range(6):
        sample = data[Place(0, position=position)]['data_samples']
        assert int(sample.gt_label) == 2
        bad = bad_media_in(dict(data_samples=[sample]))[0]
        assert [one.file for one in bad] == [str(tmp_path / 'a')]
        assert 'holds img_' in bad[0].fault


@pytest.mark.parametrize('text, options, wanted', [
    (GOOD, dict(), [[0], [2]]),
    ('a 6 0 2\nsub/b 2 1\n', dict(multi_class=True, num_classes=3), [[0, 2],
                                                                     [1]]),
])
def test_classes_of_samples(make: Make, text: str, options: dict,
                            wanted: list) -> None:
    """As ``ClassBalancedDataset`` asks for them."""
    found = make(text, **options)
    assert [found.get_cat_ids(i) for i in range(2)] == wanted
