"""Extras of the package, and the command for the installation of an extra.

No index has the package, so ``pip install "mmvideomamba[demo]"`` works in no
environment. The command names the requirements of an extra instead, and works
with a clone and with a wheel.
"""
import configparser
import functools
import importlib
import importlib.metadata
import re
from pathlib import Path
from types import ModuleType
from typing import List, NamedTuple, Tuple

_PACKAGE = 'mmvideomamba'
_CHECKOUT = Path(__file__).parents[1] / 'setup.cfg'


class MissingExtraError(ImportError, ValueError):
    """A package of an extra is not installed, or cannot be loaded.

    The class is an ``ImportError`` for Python code, and a ``ValueError`` for
    the tools, which end with the message instead of a traceback.
    """


class Declared(NamedTuple):
    """Versions and requirements from setup.cfg.

    Args:
        python (str): Range of Python, for example '>=3.10'.
        rows (list[tuple[str, str]]): Extra, '' for none, and requirement.
    """
    python: str
    rows: List[Tuple[str, str]]


@functools.lru_cache(maxsize=None)
def declared() -> Declared:
    """Read the requirements of the package.

    A clone is described by its ``setup.cfg``: metadata of an editable install
    may be older. A wheel is described by its metadata.

    Returns:
        Declared: Requirements as written, with markers other than the extra.
    """
    parser = configparser.ConfigParser()
    parser.read(_CHECKOUT)
    # Above an installed package may lie the setup.cfg of another project.
    if parser.get('metadata', 'name', fallback='') == _PACKAGE:
        fields = {'': parser['options']['install_requires']}
        fields.update(parser['options.extras_require'])
        rows = [(extra, line) for extra, text in fields.items()
                for line in text.splitlines() if line]
        return Declared(parser['options']['python_requires'], rows)
    metadata = importlib.metadata.metadata(_PACKAGE)
    texts = metadata.get_all('Requires-Dist') or []
    return Declared(metadata['Requires-Python'] or '',
                    [_split(text) for text in texts])


def _split(text: str) -> Tuple[str, str]:
    """Return extra and requirement of a line of metadata.

    setuptools writes ``NEED; extra == "NAME"``, and ``NEED; (MARKER) and
    extra == "NAME"`` for a requirement with a marker.
    """
    found = re.search(r'''(?:\s+and\s+)?extra\s*==\s*["']([^"']+)["']''', text)
    if found is None:
        return '', text
    rest = (text[:found.start()] + text[found.end():]).rstrip('; ')
    return found[1], rest


def requirements(extra: str) -> List[str]:
    """List the requirements of an extra on this machine.

    Args:
        extra (str): Name of the extra.

    Returns:
        list[str]: Requirements without markers, for example 'moviepy==1.0.3'.

    Raises:
        ValueError: If setup.cfg declares no extra of the name.
    """
    from packaging.requirements import Requirement
    known = declared().rows
    needs = [text for name, text in known if name == extra]
    if not extra or not needs:
        names = sorted({name for name, _ in known if name})
        raise ValueError(f'{_PACKAGE} has no extra {extra!r}; it has '
                         f'{", ".join(names)}')
    markers = [Requirement(text).marker for text in needs]
    return [
        text.partition(';')[0].strip() for text, marker in zip(needs, markers)
        if marker is None or marker.evaluate()
    ]


@functools.lru_cache(maxsize=None)
def install_command(extra: str) -> str:
    """Return the command for the installation of an extra.

    Args:
        extra (str): Name of the extra.

    Returns:
        str: For example ``pip install "torchcodec<0.18"``, for any shell:
        Windows knows no single quotes.

    Raises:
        ValueError: If setup.cfg declares no extra of the name.
    """
    words = (
        need if re.fullmatch(r'[\w.=-]+', need) else f'"{need}"'
        for need in requirements(extra))
    return ' '.join(['pip install', *words])


def missing_extra(extra: str, user: str, package: str) -> MissingExtraError:
    """Make the error of a missing package.

    Args:
        extra (str): The extra with the package.
        user (str): The part of the program in need of the package.
        package (str): Name of the package.

    Returns:
        MissingExtraError: With a message of one line, for a ``raise``.

    Raises:
        ValueError: If setup.cfg declares no extra of the name.
    """
    return MissingExtraError(f'{user} needs {package}, not installed: '
                             f'{install_command(extra)}')


def require(module: str, extra: str, user: str) -> ModuleType:
    """Import a module of an extra.

    Args:
        module (str): Full name, for example 'pyarrow.parquet'.
        extra (str): The extra with the package.
        user (str): The part of the program in need of the module.

    Returns:
        ModuleType: The module.

    Raises:
        MissingExtraError: If the package is not installed; the message names
            the command.
    """
    package = module.partition('.')[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # Another name is a missing requirement of an installed package.
        if (error.name or '').partition('.')[0] == package:
            raise missing_extra(extra, user, package) from error
        raise MissingExtraError(
            f'{user} needs {package}, which cannot be loaded ({error}): '
            f'{install_command(extra)}') from error
    except ImportError as error:
        reason = str(error).strip().partition('\n')[0]
        raise MissingExtraError(
            f'{user} needs {package}, which cannot be loaded ({reason}): '
            f'{install_command(extra)}') from error
