"""The published video runs, and the file names of their configs."""
import csv
import re
from pathlib import Path
from typing import Any, List

import pytest

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / 'configs' / 'recognition'
DATA = ('kinetics400', 'sthv2', 'breakfast', 'coin', 'lvu')
CLASSES = dict(kinetics400=400, sthv2=174, breakfast=10, coin=180)
# Classes of the tasks; None for a number.
LVU = dict(
    relationship=4,
    way_speaking=5,
    scene=6,
    director=10,
    genre=4,
    writer=10,
    year=9,
    like_ratio=None,
    view_count=None)


def read_table() -> List[dict]:
    """Return the published runs: video_recipes.csv, and LVU's, all alike."""
    with open(HERE / 'video_recipes.csv') as file:
        rows = list(csv.DictReader(file))
    for task in LVU:
        for window in ('', '60s'):
            rows.append(
                dict(
                    data='lvu',
                    task=task,
                    window=window,
                    arch='tiny',
                    init='videomamba_t16_k400_f32_res224',
                    frames='32',
                    size='224',
                    gpus='8',
                    batch='8',
                    steps='1',
                    lr_flag='4e-4',
                    lr='2e-4',
                    epochs='70',
                    warmup='5',
                    weight_decay='0.1',
                    drop_path='0.15',
                    rand_augment='rand-m5-n2-mstd0.25-inc1',
                    layer_decay='0.75',
                    clips='4'))
    return rows


TABLE = read_table()
FILES = sorted(path for name in DATA for path in (FOLDER / name).glob('*.py'))


def init_word(row: dict) -> str:
    """Return the word of a file name for the source of the weights."""
    init = row['init']
    if '_in1k_' in init:
        return 'in1k-pre'
    found = re.search(r'_(k400|ssv2)_(mask_)?(pt|ft|)_?f(\d+)_', init)
    data, masked, stage, frames = found.groups()
    word = data if stage == 'pt' else f'{data}-u{frames}'
    return f'{"umt-" if masked else ""}{word}-pre'


def file_name(row: dict) -> str:
    """Return the file name of a row's config."""
    data = row['data']
    if data == 'lvu':
        parts = (data, row['task'].replace('_', '-'), row['window'])
        data = '-'.join(part for part in parts if part)
    size = '' if row['size'] == '224' else f'-res{row["size"]}'
    return (f'videomamba-{row["arch"]}_{init_word(row)}_{row["gpus"]}x'
            f'b{row["batch"]}-u{row["frames"]}-{row["epochs"]}e{size}_'
            f'{data}-rgb.py')


ROWS = {f'{row["data"]}/{file_name(row)}': row for row in TABLE}
every_recipe = pytest.mark.parametrize('name', sorted(ROWS))


def classes_of(row: dict) -> Any:
    return LVU[row['task']] if row['data'] == 'lvu' else CLASSES[row['data']]
