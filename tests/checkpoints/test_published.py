"""The table of published files, and how names find its rows."""
import re

import pytest

from mmvideomamba.checkpoints import (PUBLISHED, find_published,
                                      hint_for_missing, published)

NAME = 'videomamba_t16_k400_f16_res224.pth'


def test_rows_say_what_their_names_say() -> None:
    assert len(PUBLISHED) == 60
    for name, row in PUBLISHED.items():
        found = re.fullmatch(
            r'videomamba_([tsmb])16_\w+?(?:_f(\d+))?_res(?:\d+to)*(\d+)\.pth',
            name)
        assert found is not None
        arch, frames, size = found.groups()
        assert row.name == name and row.arch[0] == arch
        assert (row.size, row.frames) == (int(size), int(frames or 1))
        assert row.config or row.note  # a reason where no recipe exists
        assert (row.task == 'feature-extraction') == ('_mask_pt_' in name)
        assert bool(row.accuracy) == bool(row.test_config)
        assert 'weights: not stated' in row.licence


def test_some_rows() -> None:
    """By hand, from the published pages."""
    row = PUBLISHED[NAME]
    assert row.accuracy == {'Kinetics-400 Top 1 Accuracy': 78.1}
    assert row.config == row.test_config == (
        'configs/recognition/kinetics400/'
        'videomamba-tiny_in1k-pre_8xb64-u16-70e_kinetics400-rgb.py')
    assert row.address == ('https://huggingface.co/OpenGVLab/VideoMamba/'
                           f'resolve/main/{NAME}')
    pairs = PUBLISHED['videomamba_m16_25M_f8_res224.pth']
    assert pairs.accuracy['MSRVTT Text-to-Video R@1'] == 35.6
    assert len(pairs.accuracy) == 30 and pairs.config != pairs.test_config
    assert PUBLISHED['videomamba_b16_in1k_res224.pth'].accuracy == {
        'ImageNet-1k Top 1 Accuracy': 82.7
    }


@pytest.mark.parametrize(
    'text', [NAME, NAME[:-4], f'checkpoints/{NAME}', f'./checkpoints/{NAME}',
             f'OpenGVLab/VideoMamba:{NAME}'])  # yapf: disable
def test_names(text: str) -> None:
    assert published(text) is PUBLISHED[NAME]


def test_other_names() -> None:
    assert find_published(f'elsewhere/{NAME}') is None
    assert find_published('epoch_60.pth') is None
    with pytest.raises(ValueError) as caught:
        published('videomamba_t16_k400_f17_res224')
    assert str(caught.value).startswith(
        "'videomamba_t16_k400_f17_res224' is none of the 60 published files "
        'of OpenGVLab/VideoMamba; the nearest are ')
    assert NAME in str(caught.value)
    with pytest.raises(ValueError, match='OpenGVLab/VideoMamba$'):
        published('resnet50')


def test_hints() -> None:
    assert f'the name alone, {NAME},' in hint_for_missing(f'elsewhere/{NAME}')
    # An accuracy is published for this run, a file is not.
    assert 'videomamba_m16_ssv2_mask_ft_f16_res224to288.pth' in (
        hint_for_missing('videomamba_m16_ssv2_mask_ft_f16_res224.pth'))
    assert hint_for_missing('work_dirs/run/epoch_60.pth') == ''
