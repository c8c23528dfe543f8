"""A tool without its part of the config ends with one line."""
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from script import load_script

from mmvideomamba.command_line import require_run

RUN = [
    ('test', 'umt-videomamba-middle_clip-b16_32xb64-u8-800e_kinetics400-rgb',
     'describes a training, such as a pretraining'),
    ('train', 'videomamba-middle_umt-25m-pre_8xb64-u8_sthv2-prompts',
     'describes a test; run it with tools/test.py'),
]


@pytest.mark.parametrize('tool, name, message', RUN)
def test_tools(tmp_path: Path, monkeypatch, tool: str, name: str,
               message: str) -> None:
    """Before the checkpoint or a folder is looked for."""
    script = load_script(f'tools/{tool}.py')
    more = dict(test=['no.pth', '--dump', 'x.pkl'], train=['--amp'])[tool]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', [tool, name, *more])
    with pytest.raises(SystemExit, match=f'^error: .*{message}') as ended:
        script.main()
    assert str(ended.value).count('\n') == 0
    assert not list(tmp_path.iterdir())


def test_a_part_is_missing() -> None:
    cfg = Config(dict(test_dataloader=dict(), test_cfg=dict()))
    with pytest.raises(ValueError, match='no test_evaluator: test needs test'):
        require_run(cfg, 'test')
    require_run(cfg, 'test', ['test_evaluator.type'])
    cfg = Config(dict(val_cfg=dict(), val_dataloader=None))
    with pytest.raises(
            ValueError,
            match='no val_dataloader and no val_evaluator: .*'
            '--no-validate'):
        require_run(cfg, 'val')
    require_run(cfg, 'val', ['val_dataloader.x', 'val_evaluator.x'])
    require_run(Config(), 'val')
