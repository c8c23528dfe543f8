"""The verb ``search serve``: checks before the page opens."""
import socket
from pathlib import Path
from typing import Any, List

import pytest
from fake_video_text import FakePredictor

from mmvideomamba.cli import main, run_search_serve, search_model
from mmvideomamba.inference.search import VideoIndex

pytest.importorskip('starlette', reason='the page needs starlette')
pytest.importorskip('uvicorn', reason='the page needs uvicorn')


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """Make an index, and note calls instead of serving the page."""
    calls: List[Any] = []

    def serve(service: Any, held: socket.socket, host: str, upload_mb: int,
              started: Any) -> None:
        started(None, tmp_path)
        calls.append((service, held.getsockname(), host, upload_mb))
        raise KeyboardInterrupt

    for module in (run_search_serve, search_model):
        monkeypatch.setattr(module, 'VideoTextPredictor', FakePredictor)
    monkeypatch.setattr(run_search_serve, 'run_server', serve)
    (tmp_path / 'a.mp4').write_text('1 0\n0 1\n')
    (tmp_path / 'm').touch()
    index = VideoIndex.create(
        tmp_path / 'x',
        FakePredictor(str(tmp_path / 'm')),
        source=str(tmp_path / 'm'))
    index.add([str(tmp_path / 'a.mp4')], FakePredictor(str(tmp_path / 'm')))
    monkeypatch.chdir(tmp_path)
    return calls


def test_served(served: List[Any], capsys: pytest.CaptureFixture) -> None:
    """The address is the result; Ctrl-C is the way to end."""
    assert main(['search', 'serve', 'x', '--port', '0']) == 0
    (service, address, host, upload_mb), = served
    assert service.about()['windows'] == 2 and not service.about()['ask']
    printed = capsys.readouterr()
    assert f'http://127.0.0.1:{address[1]}/' in printed.out
    assert 'the page is closed' in printed.err
    assert 'warning' not in printed.err
    assert (address[0], host, upload_mb) == ('127.0.0.1', '127.0.0.1', 512)


def test_warning(served: List[Any], capsys: pytest.CaptureFixture) -> None:
    main(['search', 'serve', 'x', '--port', '0', '--host', '0.0.0.0'])
    assert 'warning: all who reach 0.0.0.0 see' in capsys.readouterr().err


def refused(*words: str) -> str:
    with pytest.raises(SystemExit) as error:
        main(['search', 'serve', *words])
    return str(error.value)


def test_refusals(served: List[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the models is checked before a model is loaded."""
    assert 'is not a search index' in refused('nothing')
    assert 'index of another model' in refused('x', '--model', 'other',
                                               '--port', '0')
    assert 'answers no questions' in refused('x', '--qa', 'm', '--port', '0')
    monkeypatch.setattr(run_search_serve, 'load_service', None)
    with socket.create_server(('127.0.0.1', 0)) as held:
        port = str(held.getsockname()[1])
        assert f'port {port} of 127.0.0.1 is in use; give another one by ' \
            '--port' in refused('x', '--port', port)
    Path('a.mp4').unlink()
    VideoIndex.open('x').remove_missing()
    assert 'x is an empty index; fill it by' in refused('x')
    assert served == []
