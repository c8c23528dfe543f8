"""mmaction2's models import although the wheel lacks a folder."""
import sys
from pathlib import Path

import pytest

from mmvideomamba.compat import drn


def test_models_import_and_drn_says_why_not() -> None:
    import mmaction.models  # noqa: F401
    from mmaction.registry import MODELS
    with pytest.raises(ImportError, match='install mmaction2 from its'):
        MODELS.build(dict(type='DRN'))


def test_sound_wheel(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, drn._DRN, raising=False)
    monkeypatch.setattr(drn, 'package_dir', lambda name: tmp_path)
    assert drn._DRN in drn.WORKAROUND.cause()
    (tmp_path / 'models/localizers/drn').mkdir(parents=True)
    assert drn.WORKAROUND.cause() == ''
