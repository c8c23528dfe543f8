"""The same three pairs of caption and picture in every format."""
import json
import sqlite3
from pathlib import Path
from typing import Dict, List

import numpy as np
from tar_shards import picture, write_shard

from mmvideomamba.datasets import CaptionDataset
from mmvideomamba.datasets.transforms import ReadImage

CAPTIONS = ['A cat.', 'a DOG', 'an Elk!']
CLEAN = ['a cat', 'a dog', 'an elk']
FILES = ['a.json', 'a.jsonl', 'a.sqlite', 'a-*.tar']


def shard_samples() -> List[Dict[str, bytes]]:
    parts = [
        dict({'.png': picture(i * 50)}, **{'.txt': text.encode()})
        for i, text in enumerate(CAPTIONS)
    ]
    parts[1] = {
        '.json': json.dumps(dict(caption=CAPTIONS[1])).encode(),
        '.png': picture(50)
    }
    return parts


def write_formats(tmp_path: Path) -> None:
    """Write the same three pairs in every format."""
    entries = [
        dict(image=f'{i}.png', caption=text) for i, text in enumerate(CAPTIONS)
    ]
    for i in range(3):
        (tmp_path / f'{i}.png').write_bytes(picture(i * 50))
    (tmp_path / 'a.json').write_text(json.dumps(entries))
    lines = [json.dumps(entry) + '\n' for entry in entries]
    (tmp_path / 'a.jsonl').write_text('\n'.join(lines))
    with sqlite3.connect(tmp_path / 'a.sqlite') as database:
        database.execute('CREATE TABLE annos(id, filename, caption)')
        database.executemany('INSERT INTO annos VALUES (?, ?, ?)',
                             [(i, e['image'], e['caption'])
                              for i, e in enumerate(entries)])
    database.close()
    write_shard(tmp_path / 'a-0.tar', shard_samples()[:2])
    write_shard(tmp_path / 'a-1.tar', shard_samples()[2:])


def build(folder: Path, *files: str, **kwargs) -> CaptionDataset:
    return CaptionDataset(
        **{
            **dict(
                sources=[dict(ann_file=name) for name in files],
                pipeline=[ReadImage()],
                modality='image',
                data_root=str(folder)),
            **kwargs
        })


def check(samples: List[dict]) -> None:
    assert [s['text'] for s in samples] == CLEAN
    assert [s['pair_id'] for s in samples] == [0, 1, 2]
    assert [int(np.asarray(s['imgs'][0]).mean())
            for s in samples] == [0, 50, 100]
