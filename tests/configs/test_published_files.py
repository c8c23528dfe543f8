"""Table, recipes, metafiles and zoo pages agree on the published files."""
import importlib
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
import yaml
from host_tools import ROOT
from mmengine.config import Config

from mmvideomamba.checkpoints import PUBLISHED, PublishedFile, find_published

NAMES = (Path(__file__).parent / 'published_files.txt').read_text().split()
CONFIGS = ROOT / 'configs'
ROWS = list(PUBLISHED.values())
# Of runs with a published accuracy and no published file.
UNPUBLISHED = ('videomamba_t16_in1k_res224to448.pth',
               'videomamba_m16_k400_mask_ft_f16_res224.pth',
               'videomamba_m16_ssv2_mask_ft_f16_res224.pth')
MODELS: Dict[str, Dict[str, Any]] = {
    model['Config']: model
    for path in sorted(CONFIGS.rglob('metafile.yml'))
    for model in yaml.safe_load(path.read_text())['Models']
}


def results(config: str) -> Iterator[Dict[str, Any]]:
    """Yield the results of a recipe with the published file."""
    model = MODELS[config]
    for result in model.get('Results', ()):
        address = model.get('Weights', '')
        yield dict(dict(File=address.rpartition('/')[2]), **result)


def figures(row: PublishedFile, configs: List[str]) -> Dict[str, float]:
    """Collect the published numbers of a file in metafiles."""
    return {
        f'{result["Dataset"]} {name.removeprefix("Published ")}': value
        for config in configs
        for result in results(config)
        if result.get('Published File', result['File']) == row.name
        for name, value in result['Metrics'].items()
    }


def test_table_is_complete() -> None:
    assert list(PUBLISHED) == sorted(NAMES) and len(NAMES) == 60
    # Each file has a recipe of its own.
    assert len({row.config for row in ROWS}) == 60


@pytest.mark.parametrize('row', ROWS, ids=lambda row: row.name)
def test_row(row: PublishedFile) -> None:
    assert row.config in MODELS and (row.test_config or row.config) in MODELS
    assert MODELS[row.config]['Weights'] == row.address
    pairs = row.task == 'video-text-retrieval'
    tests = [c for c in MODELS
             if c.startswith('configs/retrieval/')] if pairs else [row.config]
    assert figures(row, tests) == row.accuracy
    # Other tests compare the names of recipes with the values.
    name = Path(row.config).stem
    frames = re.search(r'-u(\d+)-\d+e', name)
    size = re.search(r'-res(\d+)(_|$)', name)
    assert row.frames == (int(frames[1]) if frames else 1)
    assert row.size == (int(size[1]) if size else 224)
    assert f'videomamba-{row.arch}' in name
    kind = dict(
        classification='image-classification',
        recognition='video-classification',
        pretraining='feature-extraction',
        multimodal='video-text-retrieval')
    assert row.task == kind[row.config.split('/')[1]]
    page = (ROOT / row.config).parent.joinpath('README.md').read_text()
    line = next(x for x in page.splitlines() if f'({row.address})' in x)
    assert pairs or f'({Path(row.config).name})' in line
    for value in row.accuracy.values():
        assert str(value) in (page if pairs else line)


def test_mim_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the folder of a wheel; the client of mim is replaced."""
    row = PUBLISHED['videomamba_t16_k400_f8_res224.pth']
    assert row.config is not None
    got: List[Any] = []
    # The package has functions under the names of its modules.
    search, download = (
        importlib.import_module(f'mim.commands.{name}')
        for name in ('search', 'download'))
    for module in (search, download):
        monkeypatch.setattr(module, 'get_installed_path',
                            lambda _: str(ROOT / 'mmvideomamba'))
        monkeypatch.setattr(module, 'is_installed', lambda _: True)
    monkeypatch.setattr(download, 'download_from_file',
                        lambda *args, **_: got.append(args))
    name = Path(row.config).stem
    assert download.download('mmvideomamba', [name],
                             str(tmp_path)) == [row.name]
    assert got == [(row.address, str(tmp_path / row.name))]
    cfg = Config.fromfile(tmp_path / f'{name}.py')
    assert cfg.model.backbone.num_frames == row.frames


def test_addresses_are_of_published_files() -> None:
    """Pages link published files, all of them and no others."""
    text = '\n'.join(path.read_text()
                     for path in (*CONFIGS.rglob('*'), *ROOT.glob('docs/*'))
                     if path.suffix in ('.py', '.md', '.yml'))
    linked = set(re.findall(r'resolve/main/([\w.]+)', text))
    assert linked == set(NAMES)
    zero_shot = [m for c, m in MODELS.items()
                 if '/retrieval/' in c and 'Results' in m]  # yapf: disable
    assert {m['Weights']
            for m in zero_shot
            } == {PUBLISHED['videomamba_m16_25M_f8_res224.pth'].address}


def test_starts_of_recipes() -> None:
    """Recipes start from published files, but for some without."""
    text = '\n'.join(path.read_text() for path in CONFIGS.rglob('*.py'))
    text = re.sub(r"'\s*'", '', text)  # names over two lines
    starts = set(re.findall(r"'(checkpoints/videomamba[\w.-]+)'", text))
    assert len(starts) > 20
    unknown = {Path(x).name for x in starts if find_published(x) is None}
    assert unknown < set(UNPUBLISHED)
