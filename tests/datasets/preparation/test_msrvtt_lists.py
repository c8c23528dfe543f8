import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from mmvideomamba.datasets import RetrievalDataset
from mmvideomamba.datasets.preparation import build_msrvtt

CAPTIONS = [('video0', 'A cat, playing'), ('video1', 'a dog'),
            ('video0', 'a kitten'), ('video2', 'a bird'), ('video2', '?!')]


def sentences(*pairs: tuple) -> str:
    """Write pairs as the official json holds them."""
    return json.dumps(
        dict(
            info=dict(year='2016'),
            videos=[],
            sentences=[
                dict(video_id=video, caption=caption, sen_id=i)
                for i, (video, caption) in enumerate(pairs)
            ]))


FILES = {
    'MSRVTT_data.json':
    sentences(*CAPTIONS),
    'MSRVTT_train.9k.csv':
    'video_id\nvideo2\nvideo0\n',
    'MSRVTT_JSFUSION_test.csv':
    'key,vid_key,video_id,sentence\n'
    'ret0,msr1,video1,"a dog, in the rain"\nret1,msr8,video8,gone\n'
}


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., List[str]]:
    """Return a function that writes official files and converts them."""

    def run(**changed: Any) -> List[str]:
        folder = tmp_path / 'official'
        for path in (folder, tmp_path / 'videos'):
            path.mkdir()
        for i in range(3):
            (tmp_path / 'videos' / f'video{i}.mp4').touch()
        files: Dict[str, str] = {**FILES, **changed.pop('files', {})}
        for name, text in files.items():
            if text is not None:
                (folder / name).write_text(text)
        return build_msrvtt(tmp_path, folder)

    return run


def written(folder: Path, name: str) -> Any:
    return json.loads((folder / f'msrvtt_ret_{name}.json').read_text())


def test_lists(build, tmp_path: Path) -> None:
    told = '\n'.join(build())
    assert written(tmp_path, 'train9k') == [
        dict(video='video2.mp4', caption=['a bird']),
        dict(video='video0.mp4', caption=['A cat, playing', 'a kitten'])
    ]
    assert written(tmp_path, 'test1k') == [
        dict(video='video1.mp4', caption='a dog, in the rain')
    ]
    assert 'train7k.json is not written' in told
    assert '1 captions without a word are left out' in told
    assert 'test1k.json: 1 videos, 1 without a video left out (video8' in told
    found = RetrievalDataset(
        'msrvtt_ret_train9k.json', [],
        data_root=str(tmp_path),
        data_prefix=dict(video='videos'))
    assert [found.get_data_info(i)['text']
            for i in range(3)] == ['a bird', 'a cat playing', 'a kitten']


def test_parts_of_the_first_release(build, tmp_path: Path) -> None:
    build(
        files={
            'MSRVTT_data.json': None,
            'train_val_videodatainfo.json': sentences(*CAPTIONS[:3]),
            'test_videodatainfo.json': sentences(*CAPTIONS[3:])
        })
    assert len(written(tmp_path, 'train9k')) == 2


def test_only_the_test(build, tmp_path: Path) -> None:
    build(files={'MSRVTT_data.json': None, 'MSRVTT_train.9k.csv': None})
    assert [path.name
            for path in tmp_path.glob('*.json')] == ['msrvtt_ret_test1k.json']


def test_lines_twice(build, tmp_path: Path) -> None:
    lines = ''.join(f'video{i},{text}\n'
                    for i, text in ((0, 'a'), (1, 'b'), (0, 'a'), (0, 'c')))
    told = build(
        files={
            'MSRVTT_train.9k.csv': 'video_id\nvideo2\nvideo2\n',
            'MSRVTT_JSFUSION_test.csv': 'video_id,sentence\n' + lines
        })
    assert [one['caption']
            for one in written(tmp_path, 'test1k')] == ['a', 'b', 'c']
    assert len(written(tmp_path, 'train9k')) == 1
    assert [line for line in told if 'twice;' in line] == [
        'MSRVTT_JSFUSION_test.csv has 1 lines twice; they are left out',
        'MSRVTT_train.9k.csv has 1 lines twice; they are left out'
    ]


@pytest.mark.parametrize('name, text, match', [
    ('MSRVTT_data.json', '{', 'MSRVTT_data.json is not JSON'),
    ('MSRVTT_data.json', '[]', 'has no list "sentences"; take the official'),
    ('MSRVTT_data.json', '{"sentences": [{"caption": "a"}, 3]}',
     "2 of 2 sentences.*\n  sentence 0 needs a video_id.*'caption': 'a'"),
    ('MSRVTT_data.json', sentences(('video0', 'a \ud83d')),
     '1 of 1 sentences.*\n  sentence 0 has a caption that is not Unicode'),
    ('MSRVTT_data.json', sentences(*CAPTIONS[:3]),
     "1 of 2 videos have no caption.*\n  'video2' .line 2.*\n.*parts"),
    ('MSRVTT_train.9k.csv', 'name\nvideo0\n', 'has no column video_id'),
    ('MSRVTT_train.9k.csv', 'video_id\nvideo1\n',
     '1 videos of MSRVTT_JSFUSION_test.csv are in MSRVTT_train.9k.csv'),
    ('MSRVTT_JSFUSION_test.csv', 'video_id,sentence\nvideo1\nvideo2,"."\n',
     '2 of 2 lines.*\n  line 2 needs .*\n  line 3 has no word'),
    ('MSRVTT_JSFUSION_test.csv', 'video_id,sentence\nvideo8,a dog\n',
     'none of the 1 entries has a video, such as video8'),
])
def test_other_files(build, tmp_path: Path, name: str, text: str,
                     match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build(files={name: text})
    assert not list(tmp_path.glob('*.json'))


def test_nothing_official(build) -> None:
    with pytest.raises(FileNotFoundError, match='holds none of MSRVTT_train'):
        build(files=dict.fromkeys(FILES))
