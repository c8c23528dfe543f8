"""A served page over tiny videos and random models."""
import http.client
import json
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Optional

import av
import cv2
import numpy as np
import pytest
from prediction_files import NAMES
from text_model_files import text_model_file
from tiny_recipes import recipe, runner_file

from mmvideomamba.inference import Predictor, VideoTextPredictor
from mmvideomamba.inference.search import VideoIndex
from mmvideomamba.serve.server import listen, run_server
from mmvideomamba.serve.service import Service

for name in ('starlette', 'uvicorn', 'tokenizers'):
    pytest.importorskip(name, reason=f'the page needs {name}')

UPLOAD_MB = 1


class Answer(NamedTuple):
    """An answer of the page."""
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def film(path: Path, codec: str, shade: int = 0) -> Path:
    """Write 4 s at 10 frames a second; second s has the red value 60 s."""
    with av.open(str(path), 'w') as file:
        stream: Any = file.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
        for i in range(40):
            frame = np.full((64, 96, 3), (60 * (i // 10), shade, 90), np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, 'rgb24')))
        file.mux(stream.encode())
    return path


def pixels(jpeg: bytes) -> np.ndarray:
    """Decode a picture: blue, green, red."""
    found = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found


class Served(NamedTuple):
    """A page, and where to ask."""
    port: int
    folder: Path
    service: Service
    moment: Path

    def ask(self,
            path: str,
            method: str = 'GET',
            body: Any = None,
            headers: Optional[Dict[str, str]] = None) -> Answer:
        """Send a request; the path goes out as given."""
        link = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        try:
            link.request(method, path, body, headers or {})
            found = link.getresponse()
            return Answer(found.status, found.headers, found.read())
        finally:
            link.close()

    def post(self, path: str, **values: Any) -> Answer:
        return self.ask(path, 'POST', json.dumps(values))

    def video(self, title: str) -> str:
        """Return the name of a video in addresses."""
        return self.service.videos.name(str(self.folder / 'videos' / title))

    def left(self) -> list:
        """Return the uploads on the disk."""
        return list(self.moment.glob('upload-*'))


def make_models(folder: Path) -> Dict[str, Path]:
    """Write random models of searches, answers and labels."""
    found = {
        kind: text_model_file(kind, folder / kind).file
        for kind in ('retrieval', 'questions')
    }
    found['labels'] = folder / 'labels.pth'
    runner_file(
        recipe('quickstart', folder, folder / 'a.mp4'),
        found['labels'],
        dataset_meta=dict(classes=NAMES))
    return found


@pytest.fixture(scope='session')
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve an index of videos in three codecs."""
    folder = tmp_path_factory.mktemp('served')
    models = make_models(folder)
    videos = folder / 'videos'
    (videos / 'more').mkdir(parents=True)
    film(videos / 'a.mp4', 'libx264', 20)
    film(videos / 'b.webm', 'libvpx', 90)
    film(videos / 'more' / 'c <b>&.avi', 'mpeg4', 160)
    film(folder / 'dropped.mp4', 'libx264', 90)
    predictor = VideoTextPredictor(str(models['retrieval']), 'cpu')
    index = VideoIndex.create(
        folder / 'index', predictor, window=1., tokens=True)
    assert not index.add(videos, predictor).errors
    service = Service(index, predictor,
                      Predictor(str(models['labels']), 'cpu', views='one'),
                      VideoTextPredictor(str(models['questions']), 'cpu'))
    held = listen('127.0.0.1', 0)
    servers: Any = []
    ready = threading.Event()

    def started(server: Any, moment: Path) -> None:
        servers.extend([server, moment])
        ready.set()

    thread = threading.Thread(
        target=run_server,
        args=(service, held, '127.0.0.1', UPLOAD_MB, started))
    thread.start()
    assert ready.wait(60)
    yield Served(held.getsockname()[1], folder, service, servers[1])
    servers[0].should_exit = True
    thread.join(30)
    assert not thread.is_alive()
    assert not servers[1].exists()
