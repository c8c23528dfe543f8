"""Published numbers of video-text models are the same on every page."""
import re
from pathlib import Path
from typing import Dict, List

import yaml

from mmvideomamba.checkpoints import PUBLISHED

CONFIGS = Path(__file__).parents[2] / 'configs'
SETS = ('MSRVTT', 'DiDeMo', 'ActivityNet', 'LSMDC', 'MSVD')
FILES = [f'videomamba_m16_{c}_f8_res224.pth' for c in ('5M', '17M', '25M')]


def rows(folder: str) -> Dict[str, List[str]]:
    """Read the lines of a README's table by the data set."""
    found = {}
    for line in (CONFIGS / folder / 'README.md').read_text().splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        name = re.sub(r'\[(.*)\]\(.*', r'\1', cells[0])
        if line.startswith('|') and name in SETS:
            found.setdefault(name, cells[1:])
    return found


def test_zero_shot_numbers() -> None:
    numbers, short = rows('multimodal'), rows('retrieval')
    assert tuple(numbers) == tuple(short) == SETS
    # Two rows of the paper's tables.
    assert numbers['MSRVTT'][2] == '35.6 / 58.1 / 69.5, 29.1 / 51.6 / 62.2'
    assert numbers['MSVD'][0] == '38.0 / 68.6 / 79.0, 57.5 / 79.9 / 85.4'
    meta = yaml.safe_load((CONFIGS / 'retrieval/metafile.yml').read_text())
    told = [model for model in meta['Models'] if 'Results' in model]
    assert len(told) == len(SETS)
    for model, name in zip(told, SETS):
        assert model['Name'].endswith(f'8xb64-u8-2e_{name.lower()}')
        results = model['Results']
        assert [one['Published File'] for one in results] == FILES
        for one, cell, recall in zip(results, numbers[name], short[name][-3:]):
            values = [float(x) for x in re.findall(r'[\d.]+', cell)]
            assert list(one['Metrics'].values()) == values
            assert float(recall) == values[0]


def test_files_of_the_pretraining() -> None:
    meta = yaml.safe_load((CONFIGS / 'multimodal/metafile.yml').read_text())
    assert [
        model['Weights'] for model in meta['Models'] if 'Weights' in model
    ] == [PUBLISHED[name].address for name in FILES]
