"""Files of images: regular and whole ones of a usable size only."""
import io
import os
import stat

import cv2
from PIL import Image

from ..video.errors import MISSING_REMEDY, MediaError, MissingMediaError

IMAGE_REMEDY = 'Copy or download it again, or leave it out of the list.'
_END_OF_IMAGE = b'\xff\xd9'
_START_OF_SCAN = b'\xff\xda'
_PNG = b'\x89PNG\r\n\x1a\n'
# Of OpenCV, Pillow (SyntaxError for a broken PNG) and the host's decoders.
DECODE_ERRORS = (cv2.error, AssertionError, Image.DecompressionBombError,
                 OSError, SyntaxError, ValueError)


def image_error(path: str, fault: str) -> MediaError:
    """Build the error of an image.

    Args:
        path (str): The file.
        fault (str): A predicate, for example 'is damaged'.

    Returns:
        MediaError: Of the kind 'image'.
    """
    return MediaError(path, fault, IMAGE_REMEDY, 'image')


def read_image_file(path: str, remedy: str = MISSING_REMEDY) -> bytes:
    """Read a local file.

    Args:
        path (str): The file.
        remedy (str): For a missing file. Defaults to ``MISSING_REMEDY``.

    Returns:
        bytes: The content.

    Raises:
        MediaError: If the file does not exist, cannot be read, or is a
            folder, a pipe or a device: a pipe blocks for ever.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise image_error(path, 'is not a regular file')
        with open(path, 'rb') as file:
            return file.read()
    except FileNotFoundError as error:
        raise MissingMediaError(path, remedy=remedy, kind='image') from error
    except (OSError, ValueError) as error:  # a name with a null byte
        if isinstance(error, MediaError):
            raise
        raise image_error(path, f'cannot be read: {error}') from error


def check_whole_image(path: str, content: bytes) -> None:
    """Refuse an image file that is empty, cut off or too large.

    A truncated JPEG or PNG file is refused, and a file with more pixels
    than Pillow allows, twice ``PIL.Image.MAX_IMAGE_PIXELS``: a few bytes can
    ask for gigabytes, in each worker of a data loader.

    OpenCV decodes the first part of a cut JPEG file, fills the rest with
    grey, and reports nothing. In the data of a scan 0xff is followed by 0 or
    a restart marker: the last start and the last end of a file are real.

    Args:
        path (str): Name for the error.
        content (bytes): The file.

    Raises:
        MediaError: If the end is missing, or there are too many pixels.
    """
    if not content:
        raise image_error(path, 'is empty (0 bytes)')
    if content.startswith(b'\xff\xd8\xff'):
        end = content.rfind(_END_OF_IMAGE)
        whole = end > content.rfind(_START_OF_SCAN)
    else:
        # IEND is the last chunk of a PNG file.
        whole = not content.startswith(_PNG) or b'IEND' in content
    if not whole:
        raise image_error(path,
                          f'is cut off: it ends after {len(content)} bytes')
    try:
        with Image.open(io.BytesIO(content)):  # reads the header
            pass
    except Image.DecompressionBombError as error:
        raise image_error(path, f'is too large: {error}') from error
    except DECODE_ERRORS:  # OpenCV may know more kinds of files
        pass
