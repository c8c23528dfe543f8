"""Errors of media: file, fault and remedy in a single message."""

REMEDY = ('Copy or download it again, re-encode it (ffmpeg -i OLD NEW.mp4), '
          'or leave it out of the list.')
NO_FILE_REMEDY = 'Replace it by a video file, or leave it out of the list.'
MISSING_REMEDY = ('Correct its path; in a dataset that is data_prefix and the '
                  'annotation file.')


class MediaError(ValueError):
    """A video or an image is damaged, or of an unusable kind.

    The policies for bad media act on this error alone; errors of a
    transform or of an argument pass.

    Args:
        path (str): The file.
        fault (str): The fault as a predicate, for example 'is cut off'.
            Defaults to '', where ``path`` is the whole message.
        remedy (str): Advice to the user. Defaults to ``REMEDY``.
        kind (str): 'video' or 'image'. Defaults to 'video'.

    Attributes:
        path (str): The file.
        fault (str): The predicate.
    """

    def __init__(self,
                 path: str,
                 fault: str = '',
                 remedy: str = REMEDY,
                 kind: str = 'video') -> None:
        self.path, self.fault = path, fault
        self.remedy, self.kind = remedy, kind
        # torch's data loader makes the error of a worker anew, from a text.
        super().__init__(f'{kind} {path} {fault}. {remedy}' if fault else path)

    def __reduce__(self) -> tuple:
        # A worker of a data loader sends its error to the main process.
        return type(self), (self.path, self.fault, self.remedy, self.kind)


class MissingMediaError(MediaError, FileNotFoundError):
    """A file does not exist.

    Args:
        path (str): The file.
        fault (str): Defaults to 'does not exist'.
        remedy (str): Defaults to ``MISSING_REMEDY``.
        kind (str): 'video' or 'image'. Defaults to 'video'.
    """

    def __init__(self,
                 path: str,
                 fault: str = 'does not exist',
                 remedy: str = MISSING_REMEDY,
                 kind: str = 'video') -> None:
        if path.startswith('Caught '):  # the text of torch's data loader
            fault = ''
        super().__init__(path, fault, remedy, kind)


class UnsupportedVideoError(MediaError):
    """A reader cannot give the right frames of a kind of file.

    The file is not at fault; another reader may read it, and
    ``reader='auto'`` tries the others.
    """


class HungMediaError(MediaError):
    """A decoder did not answer within the time limit."""
