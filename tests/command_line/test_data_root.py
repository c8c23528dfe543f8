"""Configs take a folder of videos, with its classes."""
from pathlib import Path
from typing import Any, List

import pytest
from mmengine.config import Config

from mmvideomamba.command_line import CONFIGS, find_config, set_data_root

NAMES = ['left', 'right', 'up']
CUSTOM = sorted(
    path.stem for path in CONFIGS.joinpath('recognition', 'custom').glob(
        'videomamba*.py'))
TINY = 'videomamba-tiny_1xb8-u8-25e_custom-rgb'
NUMBER = 'videomamba-tiny_1xb8-u8-25e_custom-number-rgb'
LABELS = 'videomamba-tiny_1xb8-u8-25e_custom-multi-label-rgb'
K400 = 'videomamba-tiny_in1k-pre_8xb64-u8-70e_kinetics400-rgb'
PRETRAINING = 'umt-videomamba-micro_clip-micro_1xb16-u8-25e_quickstart-rgb'


def write(folder: Path,
          *lists: str,
          classes: Any = NAMES,
          mark: str = ' ') -> Path:
    for name in lists or ('train.txt', 'val.txt'):
        (folder / name).write_text(''.join(f'{c}/{i}.mp4{mark}{i}\n'
                                           for i, c in enumerate(NAMES)))
    if classes:
        (folder / 'classes.txt').write_text('\n'.join(classes))
    return folder


def config(name: str, folder: Path, *splits: str) -> Config:
    cfg = Config.fromfile(find_config(name))
    set_data_root(cfg, str(folder), *(splits or ('train', 'val')))
    return cfg


def leaves(cfg: Config) -> List[Any]:
    found = []
    for split in ('train', 'val', 'test'):
        node = cfg[f'{split}_dataloader'].dataset
        found.append(node.get('dataset', node))
    return found


@pytest.mark.parametrize('name', [n for n in CUSTOM if n != NUMBER])
def test_custom_recipes(name: str, tmp_path: Path) -> None:
    cfg = config(name, write(tmp_path))
    assert cfg.model.cls_head.num_classes == 3
    for one in leaves(cfg):
        assert (one.data_root, one.num_classes) == (str(tmp_path), 3)
        assert one.metainfo == dict(classes=NAMES)
        assert one.data_prefix == dict(video='')
    assert [x.ann_file
            for x in leaves(cfg)] == ['train.txt', 'val.txt', 'val.txt']
    # The dumped config needs nothing else, and names no other folder.
    text = cfg.pretty_text
    assert 'data/custom' not in text and 'num_classes=8' not in text
    assert (cfg.data_root, cfg.num_classes) == (str(tmp_path), 3)


def test_nothing_without_a_folder() -> None:
    cfg = Config.fromfile(find_config(TINY))
    before = cfg.pretty_text
    set_data_root(cfg, None, 'train')
    assert cfg.pretty_text == before


def test_share_of_rare_classes(tmp_path: Path) -> None:
    name = TINY.replace('custom', 'custom-balanced')
    cfg = config(name, write(tmp_path))
    assert cfg.train_dataloader.dataset.oversample_thr == 1 / 3
    assert 'num_classes' not in cfg.train_dataloader.dataset


def test_numbers(tmp_path: Path) -> None:
    cfg = config(NUMBER, write(tmp_path, classes=None))
    assert [x.num_classes for x in leaves(cfg)] == [None] * 3
    assert leaves(cfg)[0].data_root == str(tmp_path)
    assert 'num_classes' not in cfg.model.cls_head
    write(tmp_path)
    with pytest.raises(
            ValueError,
            match='classes.txt names .*number-rgb.py '
            'predicts a number'):
        config(NUMBER, tmp_path)


def test_several_labels(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / 'train.txt').write_text('a.mp4 0 2\nb.mp4 1\n')
    assert leaves(config(LABELS, tmp_path))[0].num_classes == 3
    (tmp_path / 'train.txt').write_text('a.mp4 0 3\n')
    with pytest.raises(ValueError, match='train.txt, line 1: label 3'):
        config(LABELS, tmp_path)
    (tmp_path / 'classes.txt').unlink()
    with pytest.raises(FileNotFoundError, match='docs/adaptation.md'):
        config(LABELS, tmp_path)


def test_published_recipe_with_own_videos(tmp_path: Path) -> None:
    cfg = config(K400, write(tmp_path))
    for one in leaves(cfg):
        assert (one.delimiter, one.data_prefix) == (' ', dict(video=''))
        assert (one.num_classes, one.data_root) == (3, str(tmp_path))
    assert leaves(cfg)[2].ann_file == 'val.txt'
    augments = cfg.model.data_preprocessor.blending.augments
    assert [x.num_classes for x in augments] == [3, 3]
    assert cfg.model.cls_head.num_classes == 3


def test_published_recipe_with_its_data_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, 'train.csv', 'val.csv', classes=None, mark=',')
    cfg = config(K400, tmp_path)
    for one in leaves(cfg):
        assert (one.delimiter, one.data_prefix) == (',', dict(video='videos'))
        assert (one.num_classes, one.data_root) == (400, str(tmp_path))
    assert cfg.model.cls_head.num_classes == 400


@pytest.mark.parametrize('mark', [',', '\t'])
def test_delimiter_of_the_lists(mark: str, tmp_path: Path) -> None:
    cfg = config(TINY, write(tmp_path, mark=mark))
    assert [x.delimiter for x in leaves(cfg)] == [mark] * 3


def test_split_for_the_test(tmp_path: Path) -> None:
    write(tmp_path, 'train.txt', 'val.txt', 'test.txt')
    for name in (TINY, K400):
        cfg = config(name, tmp_path, 'test')
        assert [x.ann_file
                for x in leaves(cfg)] == ['train.txt', 'val.txt', 'test.txt']


def test_prompts(tmp_path: Path) -> None:
    """The names of the folders are the prompts."""
    name = 'videomamba-middle_umt-25m-pre_8xb64-u8_kinetics400-prompts'
    data = config(name, write(tmp_path), 'test').test_dataloader.dataset
    assert (data.metainfo.classes, data.num_classes) == (NAMES, 3)


def test_pretraining(tmp_path: Path) -> None:
    """Labels are not used, and names of other data must not stay."""
    write(tmp_path, 'train.txt', classes=None)
    data = config(PRETRAINING, tmp_path, 'train').train_dataloader.dataset
    assert (data.data_root, data.num_classes) == (str(tmp_path), None)
    assert 'classes' not in data.metainfo


def test_test_alone_needs_no_other_list(tmp_path: Path) -> None:
    write(tmp_path, 'val.txt')
    assert leaves(config(TINY, tmp_path, 'test'))[2].ann_file == 'val.txt'
    with pytest.raises(FileNotFoundError, match='there is no train.txt in'):
        config(TINY, tmp_path, 'train', 'val')


def test_no_lists(tmp_path: Path) -> None:
    with pytest.raises(
            FileNotFoundError,
            match='no train.txt and no val.txt in it; write the lists first: '
            f'python tools/data/build_annotations.py {tmp_path}$'):
        config(TINY, tmp_path)
    with pytest.raises(FileNotFoundError, match='is no such folder'):
        config(TINY, tmp_path / 'missing')
    with pytest.raises(FileNotFoundError, match='"PATH NUMBER"'):
        config(NUMBER, tmp_path)
    write(tmp_path, 'train.txt', 'test.txt')
    with pytest.raises(FileNotFoundError, match='no val.txt .*--no-validate'):
        config(TINY, tmp_path)
    assert leaves(config(TINY, tmp_path, 'train'))[0].num_classes == 3


def test_no_names(tmp_path: Path) -> None:
    write(tmp_path, classes=None)
    with pytest.raises(FileNotFoundError, match='no classes.txt in it'):
        config(TINY, tmp_path)
    write(tmp_path, classes=['left'])
    with pytest.raises(ValueError, match='names 1 class, .* two'):
        config(TINY, tmp_path)


def test_names_that_say_the_same(tmp_path: Path) -> None:
    write(tmp_path, classes=['left', 'up', 'left'])
    with pytest.raises(ValueError, match="classes.txt names 'left' 2 times"):
        config(TINY, tmp_path)


def test_labels_of_other_classes(tmp_path: Path) -> None:
    write(tmp_path, classes=NAMES[:2])
    with pytest.raises(
            ValueError,
            match='train.txt, line 3: label 2, .* names 2 classes,'
            r' 0 to 1 \(1 such labels\)'):
        config(TINY, tmp_path)


@pytest.mark.parametrize('name, kind', [
    ('videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt', 'RetrievalDataset'),
    ('videomamba-middle_umt-25m-pre_8xb32-u12-10e_msrvtt-qa',
     'VideoQADataset'),
    ('retrieval-videomamba-micro_scratch_1xb32-u4-8e_quickstart-prompts',
     'RetrievalDataset'),
    ('videomamba-micro_1xb32-60e_digits', 'CheckedImageFolder'),
])
def test_configs_of_other_data(name: str, kind: str, tmp_path: Path) -> None:
    with pytest.raises(
            ValueError,
            match=f'{name}.py reads .*{kind}.*take a '
            'recipe of configs/recognition'):
        config(name, write(tmp_path))


def test_lists_of_another_form(tmp_path: Path) -> None:
    name = 'videomamba-tiny_k400-u32-pre_8xb8-u32-70e_lvu-year-60s-rgb'
    with pytest.raises(FileNotFoundError, match='no year/train.csv .*README'):
        config(name, write(tmp_path))
    (tmp_path / 'year').mkdir()
    for split in ('train', 'val', 'test'):
        (tmp_path / 'year' / f'{split}.csv').write_text('a.mp4,8,75.0\n')
    (tmp_path / 'classes.txt').unlink()
    cfg = config(name, tmp_path)
    assert {(x.data_root, x.num_classes)
            for x in leaves(cfg)} == {(str(tmp_path), 9)}
