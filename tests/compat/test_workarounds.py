"""Every workaround is decided once and documented; the import stays cheap."""
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


def test_every_workaround_was_decided_once() -> None:
    """``apply`` ran at import; another run changes nothing."""
    before = [(w.name, w.state) for w in compat.WORKAROUNDS]
    assert {state for _, state in before} <= {'applied', 'not needed'}
    init = mmengine.dist.utils._init_dist_pytorch
    compat.apply()
    assert [(w.name, w.state) for w in compat.WORKAROUNDS] == before
    assert mmengine.dist.utils._init_dist_pytorch is init


def test_workarounds_are_documented() -> None:
    """Users find each workaround and the link in the docs."""
    text = (ROOT / 'docs' / 'compatibility.md').read_text()
    for workaround in compat.WORKAROUNDS:
        assert f'`{workaround.name}`' in text
        assert workaround.link in text
        assert workaround.until and workaround.cure.__doc__
