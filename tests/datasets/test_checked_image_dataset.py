"""Damaged and missing images fall under the policy."""
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmpretrain.datasets import CustomDataset
from mmpretrain.datasets.transforms import PackInputs

from mmvideomamba.datasets import CheckedImageFolder, CheckedImageNet
from mmvideomamba.datasets.bad_medium import bad_media_in
from mmvideomamba.datasets.samplers import Place
from mmvideomamba.datasets.transforms import LoadCheckedImage
from mmvideomamba.datasets.video.errors import MediaError

PIPELINE = [dict(type='LoadImageFromFile'), PackInputs()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write 6 pictures; the file of picture 2 is cut off."""
    for i in range(6):
        (tmp_path / 'train' / f'c{i % 2}').mkdir(parents=True, exist_ok=True)
        picture = np.full((8, 8, 3), i * 20, np.uint8)
        cv2.imwrite(
            str(tmp_path / 'train' / f'c{i % 2}' / f'{i}.jpg'), picture)
    bad = tmp_path / 'train/c0/2.jpg'
    bad.write_bytes(bad.read_bytes()[:-40])
    return tmp_path


@pytest.mark.parametrize('cls', [CheckedImageFolder, CheckedImageNet])
def test_policies(root: Path, cls: Any) -> None:
    kwargs = dict(
        data_root=str(root),
        data_prefix='train',
        metainfo=dict(classes=('c0', 'c1')),
        pipeline=PIPELINE,
        max_bad_share=0.5)
    # The folder c0 is listed first: 0, 2, 4.
    with pytest.raises(MediaError, match='image .*2.jpg is cut off'):
        cls(**kwargs)[1]
    data = cls(bad_media='replace', **kwargs)
    for position in range(8):
        sample = data[Place(1, position=position)]
        path = Path(sample['data_samples'].img_path)
        assert path.stem != '2'
        assert path.parent.name == f'c{int(sample["data_samples"].gt_label)}'
    data = cls(bad_media='report', **kwargs)
    found = [
        bad_media_in(dict(data_samples=[data[Place(i)]['data_samples']]))[0]
        for i in range(6)
    ]
    assert [bool(bad) for bad in found] == [False, True] + [False] * 4
    assert found[1][0].kind == 'image'


def test_good_images_are_those_of_the_host(root: Path) -> None:
    kwargs = dict(data_root=str(root), data_prefix='train', pipeline=PIPELINE)
    ours, host = CheckedImageFolder(**kwargs), CustomDataset(**kwargs)
    assert len(ours) == len(host) == ours.num_files == 6
    assert isinstance(ours.pipeline.transforms[0], LoadCheckedImage)
    assert (ours[0]['inputs'] == host[0]['inputs']).all()
    assert [ours.get_cat_ids(i) for i in (0, 5)] == [[0], [1]]
