"""A config of another's file runs only types of ours and the hosts'."""
from typing import Any

import pytest

from mmvideomamba.engine.guard.trusted_config import refuse_foreign_code

GOOD = dict(
    default_scope='mmaction',
    custom_imports=dict(imports=['mmvideomamba']),
    model=dict(
        type='Recognizer3D',
        backbone=dict(type='mmvideomamba.VideoMamba'),
        cls_head=[dict(type='mmpretrain.LinearClsHead')],
        data_preprocessor=dict(type='ActionDataPreprocessor'),
        init_cfg=dict(type='Constant', _scope_='mmengine')))


def check(**changes: Any) -> None:
    refuse_foreign_code(dict(GOOD, **changes), 'a.pth', 'Trust it.')


def test_ours_and_the_hosts() -> None:
    check()
    check(custom_imports=None, data_preprocessor=None)


@pytest.mark.parametrize('model, named', [
    (dict(type='os.system', command='true'), "type 'os.system'"),
    (dict(type='mmengine.fileio.io.os.system'),
     "type 'mmengine.fileio.io.os.system'"),
    (dict(type='mmengine.load', file='a.pkl'), "type 'mmengine.load'"),
    (dict(a=[(dict(type='subprocess.Popen'), )]), "type 'subprocess.Popen'"),
    (dict(type='elsewhere.Recognizer3D'), "type 'elsewhere.Recognizer3D'"),
    (dict(type='Recognizer3D', _scope_='elsewhere'), "_scope_ 'elsewhere'"),
    (dict(type='Recognizer3D', trust_remote_code=True), 'trust_remote_code'),
])
def test_foreign_types(model: dict, named: str) -> None:
    with pytest.raises(ValueError, match=f'a.pth asks for {named}') as error:
        check(model=model)
    assert str(error.value).endswith('Trust it.')
    with pytest.raises(ValueError, match=named):
        check(data_preprocessor=model)


@pytest.mark.parametrize('imports',
                         [['mmvideomamba', 'antigravity'], 'antigravity'])
def test_foreign_imports(imports: Any) -> None:
    with pytest.raises(ValueError, match="custom_imports of 'antigravity'"):
        check(custom_imports=dict(imports=imports))


def test_foreign_scope() -> None:
    with pytest.raises(ValueError, match="default_scope 'antigravity'"):
        check(default_scope='antigravity')
