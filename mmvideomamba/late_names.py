"""Public names of a package, imported at their first use."""
import importlib
import sys
from typing import Any, Callable, Dict, List, Tuple


def late_names(
    package: str, places: Dict[str, str]
) -> Tuple[Callable[[str], Any], Callable[[], List[str]]]:
    """Make the functions of a package that imports its names late.

    A package that imports all of its modules makes each of them wait for the
    slowest. PEP 562: Python calls ``__getattr__`` of a package for a name
    that it does not hold, in ``from package import name`` too.

    Args:
        package (str): ``__name__`` of the package.
        places (dict[str, str]): Name to the module that holds it, relative to
            the package.

    Returns:
        tuple[Callable, Callable]: ``__getattr__`` and ``__dir__``.
    """

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(
                f'module {package!r} has no attribute {name!r}')
        module = importlib.import_module(f'{package}.{places[name]}')
        found = getattr(module, name)
        # Python finds the name in the package from now on.
        setattr(sys.modules[package], name, found)
        return found

    def names() -> List[str]:
        return sorted({*vars(sys.modules[package]), *places})

    return find, names
