"""Dropped videos, kept for one answer."""
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, AsyncIterator, BinaryIO, Optional

import anyio

MEGABYTE = 1 << 20
UPLOAD_SECONDS = 600.  # until the last byte


class TooLarge(ValueError):
    """An upload is larger than the limit.

    Args:
        limit (int): Bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f'the video is larger than {limit // MEGABYTE} MB; '
                         'cut it, or start the page with a larger --upload-mb')


def announced_size(text: Optional[str]) -> int:
    """Read the header Content-Length.

    Args:
        text (str, optional): The value.

    Returns:
        int: Bytes; 0 where unknown.
    """
    return int(text) if text and text.isascii() and text.isdigit() else 0


async def _write(request: Any, file: BinaryIO, limit: int) -> int:
    """Write the body of a request; return the bytes."""
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(limit)
        # In a thread, as a slow disk would stop all other answers.
        await anyio.to_thread.run_sync(file.write, part)
    return size


@asynccontextmanager
async def received(request: Any, folder: Path,
                   limit: int) -> AsyncIterator[Path]:
    """Write the body of a request to a file, removed at the end.

    Args:
        request (starlette.requests.Request): With the bytes of a video.
        folder (Path): For the file.
        limit (int): Bytes, at most.

    Yields:
        Path: The file, of a new name each time.

    Raises:
        TooLarge: If the body is larger.
        ValueError: If the body is empty, or takes too long.
    """
    # Before the first byte, if the browser tells the size; ``_write`` counts
    # as well, since a header can be wrong or missing.
    if announced_size(request.headers.get('content-length')) > limit:
        raise TooLarge(limit)
    # The ending keeps the name of a user's file from meaning anything.
    handle, name = tempfile.mkstemp('.video', 'upload-', folder)
    path = Path(name)
    try:
        try:
            with open(handle, 'wb') as file, anyio.fail_after(UPLOAD_SECONDS):
                size = await _write(request, file, limit)
        except TimeoutError as error:
            raise ValueError(f'the video took more than {UPLOAD_SECONDS:g} s '
                             'to arrive; cut it') from error
        if not size:
            raise ValueError('the video is empty (0 bytes); choose another')
        yield path
    finally:
        path.unlink(missing_ok=True)
