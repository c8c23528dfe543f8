"""Settings of an index, kept in the file ``index.json``."""
import json
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

from mmvideomamba.atomic_file import write_file
from mmvideomamba.json_file import read_json

FILE = 'index.json'
KIND = 'search index of mmvideomamba'
FORMAT = 1
PRECISIONS = dict(float32='<f4', float16='<f2')
_REMEDY = 'bring it back from a backup, or remove the index and make it anew'


class Settings(NamedTuple):
    """Settings of an index.

    Args:
        fingerprint (str): Of the model.
        embed_dim (int): Channels of a vector.
        window (float, optional): Length of a window, in seconds; None for
            one window, the whole video. Defaults to None.
        stride (float, optional): Distance of the windows, in seconds.
            Defaults to None, the length.
        token_shape (tuple[int, int], optional): Visual tokens kept for each
            window, and channels. Defaults to None, no tokens.
        precision (str): Of the vectors, 'float32' or 'float16'. Defaults to
            'float32'.
        model (str): Source of the model, as the user named it. Defaults to
            '', unknown.
        config (str, optional): Config, for a checkpoint without one.
            Defaults to None.
        description (dict): Of the model, for people. Defaults to {}.
        generation (int): Number of the data folder in use. Defaults to 1.
    """
    fingerprint: str
    embed_dim: int
    window: Optional[float] = None
    stride: Optional[float] = None
    token_shape: Optional[Tuple[int, int]] = None
    precision: str = 'float32'
    model: str = ''
    config: Optional[str] = None
    description: Dict[str, Any] = {}
    generation: int = 1

    @property
    def window_bytes(self) -> int:
        """Bytes of a window on the disk."""
        item = 2 if self.precision == 'float16' else 4
        # 16 bytes are start and end, float64.
        return self.embed_dim * item + 16 + self.token_bytes

    @property
    def token_bytes(self) -> int:
        """Bytes of the tokens of a window, in half precision."""
        tokens, channels = self.token_shape or (0, 0)
        return 2 * tokens * channels

    def write(self, folder: Path) -> None:
        """Write the file of an index.

        Args:
            folder (Path): The index.
        """
        values = dict(kind=KIND, format=FORMAT, **self._asdict())
        write_file(folder / FILE, json.dumps(values, indent=1, default=str))


def read_settings(folder: Path) -> Settings:
    """Read the settings of an index.

    Args:
        folder (Path): The index.

    Returns:
        Settings: Of the file.

    Raises:
        FileNotFoundError: If the folder is not an index.
        ValueError: If the file is damaged or of another format.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(
            f'{folder} is not a search index (no {FILE} inside); make one by: '
            'mmvideomamba search index VIDEOS --model MODEL --out INDEX')
    values = read_json(path, 'index', _REMEDY)
    if not isinstance(values, dict) or values.pop('kind', None) != KIND:
        raise ValueError(f'{path} is not a file of a {KIND}; {_REMEDY}')
    version = values.pop('format', None)
    if version != FORMAT:
        raise ValueError(f'{path} has format {version!r}, but this version of '
                         f'mmvideomamba reads format {FORMAT}; make the index '
                         'anew, or use the version that made it')
    try:
        found = Settings(**values)
        shape = found.token_shape
        return found._replace(
            token_shape=(int(shape[0]), int(shape[1])) if shape else None,
            embed_dim=int(found.embed_dim),
            generation=int(found.generation))
    except (TypeError, ValueError) as error:
        raise ValueError(f'{path} is damaged ({error}); {_REMEDY}') from error
