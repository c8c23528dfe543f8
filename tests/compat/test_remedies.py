"""Every remedy is decided once and documented; the import stays cheap."""
import mmengine.dist.utils

from mmvideomamba import compat
from .fresh_python import ROOT, run_python


def test_import_stays_cheap() -> None:
    """Neither a host nor a module for training is imported."""
    done = run_python(
        'import sys, mmvideomamba\n'
        'print([m for m in ("mmaction", "mmpretrain", "mmcv", "torchvision",'
        ' "mmengine.runner", "torch._dynamo") if m in sys.modules])')
    assert done.stdout.strip() == '[]', done.stdout + done.stderr


def test_every_remedy_was_decided_once() -> None:
    """``apply`` ran at import; another run changes nothing."""
    before = [(r.name, r.state) for r in compat.REMEDIES]
    assert {state for _, state in before} <= {'applied', 'not needed'}
    init = mmengine.dist.utils._init_dist_pytorch
    compat.apply()
    assert [(r.name, r.state) for r in compat.REMEDIES] == before
    assert mmengine.dist.utils._init_dist_pytorch is init


def test_remedies_are_documented() -> None:
    """Users find each remedy and the link in the docs."""
    text = (ROOT / 'docs' / 'compatibility.md').read_text()
    for remedy in compat.REMEDIES:
        assert f'`{remedy.name}`' in text
        assert remedy.link in text
        assert remedy.until and remedy.cure.__doc__
