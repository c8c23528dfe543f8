"""Record of a workaround, and questions to an installed package."""
import importlib
import importlib.util
import re
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, ContextManager, Optional, Tuple

from .import_hooks import AfterImport


@dataclass
class Workaround:
    """Describe a workaround for a bug of a host.

    Args:
        name (str): Short name, also in docs/compatibility.md.
        cause (Callable): Returns why the workaround is needed here, or ''.
        link (str): Where the bug is reported or can be read upstream.
        until (str): The release that makes the workaround superfluous.
        cure (Callable, optional): Heals a module of ``modules``, right after
            its import and only with a cause. Defaults to None.
        modules (tuple[str]): Names of the modules that ``cure`` takes.
            Defaults to ().
        surround (Callable, optional): From a module of ``around``, before its
            code runs, to a context manager for the run. Defaults to None.
        around (tuple[str]): Names of the modules that ``surround`` takes.
            Defaults to ().
        state (str): '' before ``decide``, then 'applied' or 'not needed'.
            Defaults to ''.
        reason (str): The result of ``cause``. Defaults to ''.
    """
    name: str
    cause: Callable[[], str]
    link: str
    until: str
    cure: Optional[Callable[[Any], None]] = None
    modules: Tuple[str, ...] = ()
    surround: Optional[Callable[[Any], ContextManager[None]]] = None
    around: Tuple[str, ...] = ()
    state: str = ''
    reason: str = ''
    _registered: bool = False

    def apply(self) -> None:
        """Heal each module after its import, once per process.

        A module imported before is healed at once. The cause is looked for
        with the first of the modules, and may import that module's host.
        """
        if self._registered:
            return
        self._registered = True
        for name in self.modules:
            AfterImport.register(name, self._heal)
        for name in self.around:
            AfterImport.surround(name, self._frame)

    def decide(self) -> str:
        """Look for the cause, once per process.

        Returns:
            str: The state. 'applied' holds for modules that are not imported
            yet, too: they will be healed.
        """
        if not self.state:
            self.reason = self.cause()
            self.state = 'applied' if self.reason else 'not needed'
        return self.state

    def _heal(self, module: Any) -> None:
        """Heal an imported module where there is a cause."""
        if self.cure and self.decide() == 'applied':
            try:
                self.cure(module)
            except BaseException:
                # A failed cure is not applied: the next look finds the cause
                # again.
                self.state = ''
                raise

    def _frame(self, module: Any) -> ContextManager[None]:
        """Surround a module's import where there is a cause."""
        if self.surround and self.decide() == 'applied':
            return self.surround(module)
        return nullcontext()


def package_dir(name: str) -> Optional[Path]:
    """Find the folder of a package without an import.

    Args:
        name (str): Name of a top-level package.

    Returns:
        Path, optional: The folder, None for an absent package.
    """
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:  # from a finder that refuses the package
        return None
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
    # Not at the top: the module loads the parsers of e-mails.
    metadata = importlib.import_module('importlib.metadata')
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
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
