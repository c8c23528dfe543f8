"""Names of the Hub, with caches made here and without a network."""
import argparse
import hashlib
import http.server
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator, List

import huggingface_hub
import pytest
import torch
from common import official_weights, small_backbone
from mmengine.runner import CheckpointLoader
from test_download import by_init_cfg
from test_three_ways import save

from mmvideomamba.checkpoints import (fetch, hub_file, is_hub_file, locate,
                                      read_any, resolve_hub)

NAME = 'videomamba_t16_in1k_res224.pth'
SITE = 'https://huggingface.co'
ADDRESS = f'{SITE}/OpenGVLab/VideoMamba/resolve/main/{NAME}'
COMMIT = '0' * 40


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: Any) -> Path:
    """Give a test an empty cache and folder, and no network."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    monkeypatch.setattr(hub_file, 'ENDPOINT', SITE)
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    return tmp_path / 'hub'


def put(cache: Path, repository: str, file: str, content: bytes) -> Path:
    """Store a file as huggingface_hub does."""
    folder = cache / f'models--{repository.replace("/", "--")}'
    path = folder / 'snapshots' / COMMIT / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (folder / 'refs').mkdir(exist_ok=True)
    (folder / 'refs' / 'main').write_text(COMMIT)
    return path


def weights_file(folder: Path) -> bytes:
    """Make a published file with a command line."""
    file = dict(
        model=official_weights(small_backbone()),
        args=argparse.Namespace(model='videomamba_tiny'))
    return save(folder, file).read_bytes()


@pytest.mark.parametrize('name', [NAME, NAME[:-4], f'checkpoints/{NAME}',
                                  f'OpenGVLab/VideoMamba:{NAME}'
                                  ])  # yapf: disable
@pytest.mark.parametrize('place', ['hub', '.', 'checkpoints'])
def test_load_by_name(name: str, place: str, cache: Path,
                      tmp_path: Path) -> None:
    """From a local file before the cache."""
    content = weights_file(tmp_path)
    path = put(cache, 'OpenGVLab/VideoMamba', NAME,
               content if place == 'hub' else b'not read')
    if place != 'hub':
        Path(place).mkdir(exist_ok=True)
        path = Path(place, NAME)
        path.write_bytes(content)
    assert fetch(name) == locate(name) == path
    assert is_hub_file(name) == (Path(name) != path)
    expected = torch.load(tmp_path / 'in.pth', weights_only=False)['model']
    assert read_any(name)['args'].model == 'videomamba_tiny'
    assert torch.equal(by_init_cfg(name).pos_embed, expected['pos_embed'])
    found = CheckpointLoader.load_checkpoint(name)['state_dict']
    assert torch.equal(found['backbone.pos_embed'], expected['pos_embed'])


@pytest.mark.parametrize(
    'load', [fetch, by_init_cfg, CheckpointLoader.load_checkpoint])
@pytest.mark.parametrize('name', [NAME, f'checkpoints/{NAME}'])
def test_no_network(load: Callable, name: str, monkeypatch: Any,
                    cache: Path) -> None:
    """The error is a line with the address, after few tries."""
    tries: List[Any] = []

    def refuse(*arguments: Any, **_: Any) -> None:
        tries.append(arguments)
        raise socket.gaierror(-3, 'no name resolution')

    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', False)
    monkeypatch.setattr(socket, 'getaddrinfo', refuse)
    with pytest.raises(ValueError) as caught:
        load(name)
    assert str(caught.value).endswith(
        f'{ADDRESS} cannot be downloaded, as {SITE} does not answer, and is '
        f'not in the cache {cache} (HF_HOME): download it elsewhere and give '
        'its path, or put it into the folder checkpoints')
    assert '\n' not in str(caught.value) and 1 <= len(tries) <= 3


def test_refusals() -> None:
    with pytest.raises(ValueError, match='as HF_HUB_OFFLINE is set'):
        fetch(NAME)
    with pytest.raises(ValueError, match=f'the nearest are {NAME}'):
        fetch('videomamba_t16_in1k_res225.pth')
    with pytest.raises(ValueError, match='the nearest are'):
        resolve_hub('OpenGVLab/VideoMamba:videomamba_t16_in1k_res225.pth')
    with pytest.raises(ValueError, match='holds 60 files: name one'):
        resolve_hub('OpenGVLab/VideoMamba')
    with pytest.raises(ValueError, match=f'^{SITE}/some/model cannot be down'):
        resolve_hub('some/model')
    missing = 'elsewhere/' + NAME
    with pytest.raises(FileNotFoundError, match=f'{missing} .*name alone'):
        CheckpointLoader.load_checkpoint(missing)
    with pytest.raises(FileNotFoundError, match='epoch_60.pth does not ex'):
        CheckpointLoader.load_checkpoint('checkpoints/epoch_60.pth')


def test_caveat(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: List[str] = []
    monkeypatch.setattr(hub_file, 'print_log', lambda x, *_: said.append(x))
    name = 'videomamba_m16_breakfast_mask_ft_f64_res224.pth'
    put(cache, 'OpenGVLab/VideoMamba', name, b'')
    fetch(name)
    assert len(said) == 1 and 'temporal embedding of 32 frames' in said[0]


def test_other_repositories(cache: Path) -> None:
    config = put(cache, 'some/model', 'config.json', b'{}')
    assert resolve_hub('some/model') == config.parent
    part = put(cache, 'some/model', 'parts/a.pth', b'')
    assert resolve_hub('some/model:parts/a.pth') == part
    assert locate('some/model:parts/a.pth') == part
    # Local paths, and other texts.
    Path('some/model').mkdir(parents=True)
    for text in ('some/model', 'some/other', 'a/b.pth', 'plain', './a/b',
                 'a/b/c', 'C:/a'):
        assert resolve_hub(text) is None


class Hub(http.server.BaseHTTPRequestHandler):
    """A Hub with a single file."""
    content = b''
    sent: List[str] = []

    def do_HEAD(self) -> None:
        """Describe the file, as the Hub does."""
        known = self.path.endswith(NAME)
        self.send_response(200 if known else 404)
        if known:
            self.send_header('X-Repo-Commit', COMMIT)
            self.send_header('ETag', hashlib.sha1(self.content).hexdigest())
        else:
            self.send_header('X-Error-Code', 'EntryNotFound')
        self.send_header('Content-Length', str(len(self.content)))
        self.end_headers()

    def do_GET(self) -> None:
        """Send the file."""
        self.sent.append(self.path)
        self.do_HEAD()
        self.wfile.write(self.content)

    def log_message(self, *_: Any) -> None:
        """Drop the message."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: Any) -> Iterator[str]:
    """Serve a Hub on this machine."""
    constants = huggingface_hub.constants
    for name in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
    Hub.content, Hub.sent = b'some weights', []
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site = f'http://127.0.0.1:{server.server_port}'
        monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', False)
        monkeypatch.setattr(hub_file, 'ENDPOINT', site)
        yield site
        server.shutdown()


def test_download(hub: str, cache: Path) -> None:
    """Several callers at once download once, and later ones not at all."""
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(fetch, [NAME] * 3))
    assert {path.read_bytes() for path in found} == {Hub.content}
    assert found[0].is_relative_to(cache) and len(Hub.sent) == 1
    fetch(NAME)
    assert len(Hub.sent) == 1
    with pytest.raises(ValueError, match='as the Hub has no such file'):
        fetch('videomamba_s16_in1k_res224')
