"""Values of the recipes of recognition by prompts."""
from pathlib import Path

import pytest
from mmengine.config import Config

from mmvideomamba.models.multimodal.prompts import class_prompts

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / 'configs' / 'retrieval'
NAME = 'videomamba-middle_umt-25m-pre_8xb64-u8_{}-prompts.py'


@pytest.mark.parametrize('name, classes, templates', [('kinetics400', 400, 16),
                                                      ('sthv2', 174, 1)])
def test_recipes(name: str, classes: int, templates: int) -> None:
    cfg = Config.fromfile(FOLDER / NAME.format(name))
    retrieval = Config.fromfile(
        FOLDER / 'videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py')
    assert len(set(*class_prompts(['x'], cfg.model.prompts))) == templates
    # As many texts are judged for a video as in retrieval.
    assert cfg.model.topk * templates == retrieval.test_cfg.topk == 128
    data = cfg.test_dataloader.dataset
    assert data.num_classes == classes
    assert data.metainfo == dict(classes=f'data/{name}/classes.txt')
    assert data.pipeline[:-1] == retrieval.test_pipeline[:-1]
    # Towers, tokenizer and sizes equal the values of retrieval.
    own = ('type', 'prompts', 'topk')
    assert {
        k: v
        for k, v in cfg.model.items() if k not in own
    } == {
        k: v
        for k, v in retrieval.model.items() if k != 'type'
    }


def test_own_videos_as_the_docs_tell(tmp_path: Path) -> None:
    text = (ROOT / 'docs' / 'video_text.md').read_text()
    code = text.split('## Recognition by prompts')[1].split('```python\n')[1]
    child = tmp_path / 'child.py'
    child.write_text(code.split('```')[0].replace("'./", f"'{FOLDER}/"))
    cfg = Config.fromfile(child)
    assert cfg.model.prompts == 'data/mine/prompts.json'
    assert cfg.test_dataloader.dataset.metainfo.classes.startswith('data/mine')
