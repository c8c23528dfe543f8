"""Error of a user: a training ends with a message, not a traceback."""


class UserError(SystemExit, ValueError):
    """End the process with the line ``error: MESSAGE`` and exit code 1.

    Whatever script started the training, Python prints no traceback for a
    ``SystemExit``. Code around a training can catch a ``ValueError``.

    Args:
        message (str): File or value, fault and remedy. Defaults to '',
            which prints nothing, for all processes but the first.
    """

    def __init__(self, message: str = '') -> None:
        super().__init__(message)
        self.code = f'error: {message}' if message else 1
