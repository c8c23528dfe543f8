"""Downloads are read as safely as local files, and refused in equal words."""
import functools
import http.server
import threading
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
import torch
from common import official_weights, small_backbone
from mmengine.runner import CheckpointLoader
from test_three_ways import SMALL, save

from mmvideomamba.checkpoints.download import download
from mmvideomamba.models import VideoMamba
from mmvideomamba.registry import MODELS


class Ran:
    """A type with code to run on unpickling."""

    def __reduce__(self) -> tuple:
        return torch.add, (torch.ones(1), 1)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A handler without a log."""

    def log_message(self, *_: Any) -> None:
        """Drop the message."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: Any) -> Iterator[str]:
    """Serve the folder of a test; downloads go to a cache in there."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/'
        server.shutdown()


def by_init_cfg(address: str) -> VideoMamba:
    cfg = dict(type='Pretrained', checkpoint=address)
    model = MODELS.build(dict(SMALL, init_cfg=cfg))
    model.init_weights()
    return model


def test_weights(site: str, tmp_path: Path) -> None:
    weights: Dict[str, Any] = official_weights(small_backbone())
    address = site + save(tmp_path, dict(net=weights)).name + '?download=1'
    found = CheckpointLoader.load_checkpoint(address)['state_dict']
    assert torch.equal(found['backbone.pos_embed'], weights['pos_embed'])
    assert torch.equal(by_init_cfg(address).cls_token, weights['cls_token'])
    # The second call finds the file in the cache.
    (tmp_path / 'in.pth').unlink()
    assert download(address).is_file()


@pytest.mark.parametrize('load', [
    by_init_cfg, CheckpointLoader.load_checkpoint
])  # yapf: disable
def test_refusals(load: Any, site: str, tmp_path: Path) -> None:
    weights = official_weights(small_backbone())
    save(tmp_path, dict(net=weights, more=Ran()), 'code.pth')
    (tmp_path / 'page.pth').write_bytes(b'<!DOCTYPE html>')
    (tmp_path / 'empty.pth').write_bytes(b'')
    whole = save(tmp_path, weights).read_bytes()
    (tmp_path / 'cut.pth').write_bytes(whole[:-500])
    for name, message in {
            'code.pth': 'holds more than weights',
            'page.pth': 'is a web page',
            'empty.pth': 'is empty',
            'cut.pth': 'is cut off',
            'missing.pth': 'cannot be downloaded: HTTP Error 404'
    }.items():
        with pytest.raises(ValueError, match=f'{site}{name}.*{message}'):
            load(site + name)


def test_file_of_another_model(site: str, tmp_path: Path) -> None:
    """Weights alone are read; code in the file is refused and never run."""
    save(tmp_path, {'conv.weight': torch.ones(1)}, 'good.pth')
    found = CheckpointLoader.load_checkpoint(site + 'good.pth')
    assert found == {'conv.weight': 1}
    save(tmp_path, {'conv.weight': torch.ones(1), 'more': Ran()})
    with pytest.raises(ValueError, match='holds more than weights'):
        CheckpointLoader.load_checkpoint(site + 'in.pth')
