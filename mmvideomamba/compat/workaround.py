"""Record of a workaround, and questions to an installed package."""
import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Tuple


@dataclass
class Workaround:
    """Describe a workaround for a bug of a host.

    Args:
        name (str): Short name, also in docs/compatibility.md.
        cause (Callable): Returns why the workaround is needed here, or ''.
        link (str): Where the bug is reported or can be read upstream.
        until (str): The release that makes the workaround superfluous.
        cure (Callable): Heals it. Called once, and only with a cause.
        state (str): '' before ``apply``, then 'applied' or 'not needed'.
            Defaults to ''.
        reason (str): The result of ``cause``. Defaults to ''.
    """
    name: str
    cause: Callable[[], str]
    link: str
    until: str
    cure: Callable[[], None]
    state: str = ''
    reason: str = ''

    def apply(self) -> None:
        """Look for the cause and heal the bug, once per process."""
        if self.state:
            return
        self.reason = self.cause()
        if self.reason:
            self.cure()
        self.state = 'applied' if self.reason else 'not needed'


def package_dir(name: str) -> Optional[Path]:
    """Find the folder of a package without an import.

    Args:
        name (str): Name of a top-level package.

    Returns:
        Path, optional: The folder, None for an absent package.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def installed_version(distribution: str) -> str:
    """Look up the version of an installed distribution.

    Args:
        distribution (str): Name of the distribution, as pip writes it.

    Returns:
        str: The version, '' for an absent distribution.
    """
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ''


def installed_release(distribution: str) -> Tuple[int, int]:
    """Read the first two numbers of an installed version.

    Args:
        distribution (str): Name of the distribution, as pip writes it.

    Returns:
        tuple[int, int]: Such as (1, 5) for '1.5.7'; (0, 0) for an absent
        distribution.
    """
    found = re.match(r'(\d+)\.(\d+)', installed_version(distribution))
    return (int(found[1]), int(found[2])) if found else (0, 0)
