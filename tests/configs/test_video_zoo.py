"""Pages of the video zoo hold the published and the counted numbers."""
import functools
from typing import Dict

import yaml
from video_table import FOLDER, ROWS, classes_of, every_recipe

from mmvideomamba.checkpoints import PUBLISHED
from mmvideomamba.models import VideoMamba


@functools.lru_cache(maxsize=None)
def zoo(data: str) -> Dict[str, dict]:
    """Read the metafile of a folder, models by name."""
    meta = yaml.safe_load((FOLDER / data / 'metafile.yml').read_text())
    return {model['Name']: model for model in meta['Models']}


@functools.lru_cache(maxsize=None)
def cost(arch: str, frames: int, size: int, classes: int) -> tuple:
    """Return parameters and operations, by section 15's formulas.

    Written out here, where the tool walks through the model.
    """
    width, depth = VideoMamba.arch_zoo[arch].values()
    inner, rank, state, conv = 2 * width, -(-width // 16), 16, 4
    places = (size // 16)**2
    tokens = frames * places + 1
    block = (6 * width**2 + 2 * inner * (conv + 1) + 2 * inner *
             (rank + 2 * state) + 2 * inner * (rank + 1) + 2 * inner * state +
             2 * inner + width)
    params = (
        depth * block + width + (places + 1) * width + frames * width + width *
        (3 * 256 + 1) + width + (width + 1) * classes)
    macs = (
        frames * places * 768 * width + depth * tokens * 6 * width**2 + 5 *
        (depth + 1) * tokens * width + width * classes)
    scans = depth * tokens * (2 * conv * inner + 2 * inner *
                              (rank + 2 * state) + 2 * rank * inner +
                              2 * 9 * inner * state + 4 * inner)
    return params, macs, macs + scans


@every_recipe
def test_zoo(name: str) -> None:
    """README and metafile hold the published and the counted numbers."""
    row = ROWS[name]
    data, file = name.split('/')
    model = zoo(data)[file[:-3]]
    classes = classes_of(row) or 1
    params, macs, everything = cost(row['arch'], int(row['frames']),
                                    int(row['size']), classes)
    assert model['Metadata']['Parameters'] == params
    assert model['Metadata']['FLOPs'] == macs
    assert model['Metadata']['Pretrained'] == row['init']
    readme = (FOLDER / data / 'README.md').read_text().splitlines()
    line, = [line for line in readme if f'({file})' in line]
    if data == 'lvu':
        assert 'Results' not in model  # nothing was published
        assert line.startswith(f'| {row["task"]} ')
        return
    file = PUBLISHED.get(f'{row["file"]}.pth')
    assert model.get('Weights') == (file and file.address)
    figures = model['Results'][0]['Metrics']
    assert figures == {'Published Top 1 Accuracy': float(row['top1'])}
    cells = [cell.strip() for cell in line.strip('|').split('|')]
    assert cells[1:] == [
        f'{row["frames"]}, {row["size"]}', row['init'], row['top1'],
        f'[{row["file"]}]({file.address})' if file else 'none',
        f'{params / 1e6:.1f}', f'{macs / 1e9:.1f} / {everything / 1e9:.1f}',
        f'{row["clips"]} x 3'
    ]
