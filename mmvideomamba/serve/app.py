"""The addresses of the page."""
import asyncio
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Iterable
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from .guard import Guard
from .pictures import ConvertedClips, FramePictures
from .service import Service
from .uploads import TooLarge, received
from .videos import OpenedVideo, VideoError

# No name of a package, for which setuptools would take the folder.
PAGE = Path(__file__).parent / 'web-page'
# Calls waiting for a thread; more are asked to come again.
WAITING = 16
# Videos being received or looked at, as each takes room on the disk.
UPLOADS = 2
_JSON_BYTES = 64 << 10
_FRESH = {
    'cache-control': 'no-cache'
}  # kept by the browser, compared each time


class Busy(ValueError):
    """Too many requests wait already.

    Args:
        count (int): How many.
    """

    def __init__(self, count: int) -> None:
        super().__init__(f'{count} other requests wait; try again in a moment')


class Json(JSONResponse):
    """JSON, also of names of other bytes than UTF-8."""

    def render(self, content: Any) -> bytes:
        """Write lone surrogates, which such names hold, as codes of JSON.

        Args:
            content (Any): For JSON.

        Returns:
            bytes: UTF-8.
        """
        # JSON.parse of a browser refuses NaN.
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
        return text.encode('utf-8', 'backslashreplace')


class Line:
    """Run calls one after the other in a thread.

    Args:
        name (str): Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._waiting = 0

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function in the thread.

        Args:
            function (Callable): The function.
            *args (Any): Arguments of the function.

        Returns:
            Any: The result.

        Raises:
            Busy: If too many calls wait.
        """
        if self._waiting >= WAITING:
            raise Busy(self._waiting)
        # Counted in the event loop alone, so no lock is needed.
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, function, *args)
        finally:
            self._waiting -= 1

    def stop(self) -> None:
        """Drop the waiting calls."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _status(error: Exception) -> int:
    """Return the status of HTTP for an error."""
    kinds = {VideoError: 404, TooLarge: 413, Busy: 503}
    return next(
        (number for kind, number in kinds.items() if isinstance(error, kind)),
        400)


async def _refused(request: Request, error: Exception) -> Response:
    """Answer after an error of the user."""
    text = ' '.join(str(error).split()) or type(error).__name__
    return Json({'error': text}, _status(error))


async def _left(request: Request, error: Exception) -> Response:
    """Answer nobody: the browser has gone."""
    return Response(status_code=400)


async def _failed(request: Request, error: Exception) -> Response:
    """Answer after an error of the program, logged by uvicorn."""
    text = 'the program has failed; the log of the command says how'
    return Json({'error': text}, 500)


async def _values(request: Request) -> Dict[str, Any]:
    """Read the JSON of a small request."""
    # request.json() would read a body of any length into memory.
    body = b''
    async for part in request.stream():
        body += part
        if len(body) > _JSON_BYTES:
            raise ValueError(
                f'the request is longer than {_JSON_BYTES} bytes; '
                'shorten the text')
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):  # the latter of 10 000 brackets
        values = None
    if not isinstance(values, dict):
        raise ValueError('the request is not a JSON object; reload the page')
    return values


def _text(values: Dict[str, Any], name: str) -> str:
    """Return a text of a request."""
    text = values.get(name)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f'the {name} is empty; type one')
    return text.strip()


def _seconds(value: Any, name: str) -> float:
    """Return a time of a request."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found < math.inf:
        raise ValueError(f'{name} must be a number of seconds, but is '
                         f'{value!r}')
    return found


class App:
    """Answers of the page.

    Args:
        service (Service): Searches and answers.
        folder (Path): For files of a moment.
        upload_bytes (int): Of a dropped video, at most.
    """

    def __init__(self, service: Service, folder: Path,
                 upload_bytes: int) -> None:
        self.service, self.folder = service, folder
        self.upload_bytes = upload_bytes
        self._files = StaticFiles(directory=PAGE)
        self._frames, self._clips = FramePictures(), ConvertedClips(folder)
        # Apart, so that pictures and clips do not wait for a model.
        self._lines = {n: Line(n) for n in ('model', 'frames', 'clips')}
        self._uploads = 0

    def routes(self) -> list:
        """List the addresses.

        Returns:
            list[Route]: For ``Starlette``.
        """
        return [
            Route('/', self.page),
            Route('/api/about', self.about),
            Route('/api/search', self.search, methods=['POST']),
            Route('/api/ask', self.ask, methods=['POST']),
            Route('/api/look', self.look, methods=['POST']),
            Route('/videos/{video}', self.video),
            Route('/frames/{video}', self.frame),
            Route('/clips/{video}', self.clip),
            Mount('/page', self._files),
        ]

    async def page(self, request: Request) -> Response:
        """Return the page.

        Args:
            request (Request): The request.

        Returns:
            Response: HTML.
        """
        return self._file(request, PAGE / 'index.html', 'text/html')

    def _file(self, request: Request, path: Path, kind: str) -> Response:
        """Return a file, ranges of a file, or 304 for a known one."""
        found = self._files.file_response(path, path.stat(), request.scope)
        found.headers.update(_FRESH)
        if 'content-type' in found.headers:
            found.headers['content-type'] = kind
        return found

    async def about(self, request: Request) -> Response:
        """Describe the index and the models.

        Args:
            request (Request): The request.

        Returns:
            Response: See ``Service.about``.
        """
        found = self.service.about()
        found['upload_bytes'] = self.upload_bytes
        return Json(found, headers=_FRESH)

    async def search(self, request: Request) -> Response:
        """Search by a sentence.

        Args:
            request (Request): JSON with ``sentence``, ``rerank`` and
                ``one_per_video``.

        Returns:
            Response: See ``Service.search``.
        """
        values = await _values(request)
        one = 1 if values.get('one_per_video') else None
        return Json(await self._lines['model'].run(self.service.search,
                                                   _text(values, 'sentence'),
                                                   bool(values.get('rerank')),
                                                   one))

    async def ask(self, request: Request) -> Response:
        """Answer a question about a part of a video.

        Args:
            request (Request): JSON with ``video``, ``question``, ``start``
                and ``end``.

        Returns:
            Response: See ``Service.ask``.
        """
        values = await _values(request)
        return Json(await self._lines['model'].run(
            self.service.ask, _text(values, 'video'),
            _text(values, 'question'), _seconds(values.get('start'), 'start'),
            _seconds(values.get('end'), 'end')))

    async def look(self, request: Request) -> Response:
        """Label a dropped video, and find its neighbours.

        Args:
            request (Request): The bytes of the video; the header X-File-Name
                has the name, with % before special signs.

        Returns:
            Response: See ``Service.look``.

        Raises:
            Busy: If as many videos as allowed are being received.
            ValueError: If the video cannot be used.
        """
        if self._uploads >= UPLOADS:
            raise Busy(self._uploads)
        name = unquote(request.headers.get('x-file-name', 'the video'))[:200]
        self._uploads += 1
        try:
            async with received(request, self.folder,
                                self.upload_bytes) as path:
                try:
                    found = await self._lines['model'].run(
                        self.service.look, str(path))
                except ValueError as error:
                    # The user knows the name, not the temporary file.
                    raise ValueError(str(error).replace(str(path),
                                                        name)) from error
        finally:
            self._uploads -= 1
        return Json(found)

    async def video(self, request: Request) -> Response:
        """Stream a video, or a range of its bytes.

        Args:
            request (Request): With the name in the path.

        Returns:
            Response: 200, 206, 304 or 416.
        """
        path = Path((await self._opened(request)).path)
        kind = {'.webm': 'video/webm', '.mkv': 'video/x-matroska'}
        return self._file(request, path,
                          kind.get(path.suffix.lower(), 'video/mp4'))

    async def frame(self, request: Request) -> Response:
        """Return the frame of a video at a time.

        Args:
            request (Request): With the name in the path, and ``at`` in
                seconds.

        Returns:
            Response: JPEG.
        """
        video = await self._opened(request)
        seconds = _seconds(request.query_params.get('at'), 'at')
        picture = await self._lines['frames'].run(self._frames.picture,
                                                  video.path, video.state,
                                                  seconds)
        # A proxy for several users must not keep pictures of videos.
        headers = {'cache-control': 'private, max-age=3600'}
        return Response(picture, media_type='image/jpeg', headers=headers)

    async def clip(self, request: Request) -> Response:
        """Return a part of a video, converted for browsers.

        Args:
            request (Request): With the name in the path, ``start`` and
                ``end`` in seconds.

        Returns:
            Response: MP4.
        """
        video = await self._opened(request)
        times = [
            _seconds(request.query_params.get(name), name)
            for name in ('start', 'end')
        ]
        path = await self._lines['clips'].run(self._clips.clip, video.path,
                                              video.state, *times)
        return self._file(request, path, 'video/mp4')

    async def _opened(self, request: Request) -> OpenedVideo:
        """Return the video of a request."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self.service.videos.open,
                                          request.path_params['video'])

    def close(self) -> None:
        """Drop the waiting calls."""
        for line in self._lines.values():
            line.stop()


def build_app(app: App,
              names: Iterable[str] = (),
              addresses: bool = False) -> Guard:
    """Make the application.

    Args:
        app (App): The answers.
        names (Iterable[str]): See ``Guard``. Defaults to ().
        addresses (bool): See ``Guard``. Defaults to False.

    Returns:
        Guard: An ASGI application.
    """
    pages = Starlette(
        routes=app.routes(),
        exception_handlers={
            OSError: _refused,
            ValueError: _refused,
            ClientDisconnect: _left,
            Exception: _failed
        })
    # Outermost, so that an answer after a failure has the headers too.
    return Guard(pages, names, addresses)
