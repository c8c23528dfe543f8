"""Import a module of a host at the first use of a name."""
import importlib
import importlib.util
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import (Any, Callable, Dict, Iterator, List, NamedTuple, Sequence,
                    Tuple)

from .import_hooks import other_imports
from .late_rows import LateRows

# Bound to a late name while the code of a holder runs.
_LATE = object()


class _Holder(ModuleType):
    """Stand for a module in a statement with late names.

    Args:
        name (str): Full name of the module.
        late (Sequence[str]): Late names of the statement.
        others (ModuleType, optional): Has all other names.
            Defaults to None, without other names.
    """

    def __init__(self,
                 name: str,
                 late: Sequence[str],
                 others: Any = None) -> None:
        super().__init__(name)
        self.__dict__.update({key: _LATE
                              for key in late},
                             __all__=list(late),
                             _others=others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__['_others'], name)


class LateModule(NamedTuple):
    """Describe a module with names for the packages above.

    Args:
        name (str): Full name of the module.
        public (tuple[str]): Names taken by the holders.
        rows (dict[str, tuple[str]]): Registry, as 'package.registry.NAME', to
            the rows added by the module.
        holders (tuple[str]): Full names of the packages with the names,
            inner ones first.
    """
    name: str
    public: Tuple[str, ...]
    rows: Dict[str, Tuple[str, ...]]
    holders: Tuple[str, ...]

    def load(self) -> None:
        """Import the module; the import adds the rows."""
        importlib.import_module(self.name)

    def tables(self) -> List[Tuple[LateRows, Tuple[str, ...]]]:
        """List the rows of each registry, with the names of the module."""
        found = []
        for place, names in self.rows.items():
            module, _, registry = place.rpartition('.')
            found.append((LateRows.of(
                getattr(importlib.import_module(module), registry)), names))
        return found

    @property
    def around(self) -> Tuple[str, ...]:
        """Names of the modules for ``surround``."""
        return (self.name, *self.holders)

    @contextmanager
    def surround(self, module: ModuleType) -> Iterator[None]:
        """Import the module at the first use of a name or a row."""
        if module.__name__ == self.name:
            yield from self._surround_module()
        else:
            yield from self._surround_holder(module)

    def _surround_module(self) -> Iterator[None]:
        """Take the late rows out: the module adds the rows.

        Whichever way the module is imported: by a row, a name or a pickle.
        """
        taken = [(rows, rows.take_late(name)) for rows, names in self.tables()
                 for name in names]
        try:
            yield
        # Ctrl-C as well: the next import needs the rows.
        except BaseException:
            for rows, row in taken:
                rows.put_back(row)
            raise

    def _surround_holder(self, module: ModuleType) -> Iterator[None]:
        """Keep the late names out of a package; add them afterwards."""
        with other_imports(module, self._answers(module)):
            yield
        late = {key for key in self.public if vars(module).get(key) is _LATE}
        for key in late:
            del module.__dict__[key]
        # Once, by the innermost package, the first to be complete.
        if module.__name__ == self.holders[0] and late:
            self._add_rows()
        if late or self._is_waiting():
            self._add_names(module)
            self._complete_stars(module)

    def _answers(self,
                 module: ModuleType) -> Callable[[str, Sequence[str]], Any]:
        """Make the answers to the import statements of a holder."""

        def answer(name: str, taken: Sequence[str]) -> Any:
            full = importlib.util.resolve_name(name, module.__name__)
            if full == self.name:
                return _Holder(full, self.public)
            late = set(taken) & set(self.public)
            if not late or full not in self.holders:
                return None
            others = importlib.import_module(full)
            # Of a holder that was imported before, or is left alone.
            late = {key for key in late if key not in vars(others)}
            return _Holder(full, sorted(late), others)

        return answer

    def _add_rows(self) -> None:
        for rows, names in self.tables():
            for name in names:
                rows.add_late(name, self.load)

    def _is_waiting(self) -> bool:
        """Say whether the innermost package waits for the names."""
        inner = sys.modules.get(self.holders[0])
        return inner is not None and getattr(
            vars(inner).get('__getattr__'), 'of', None) is self

    def _find(self, name: str) -> Any:
        module = importlib.import_module(self.name)
        leaf = self.name.rpartition('.')[2]
        return module if name == leaf else getattr(module, name)

    def _add_names(self, module: ModuleType) -> None:
        """Let a package find the late names."""
        others = vars(module).get('__getattr__')

        def find(name: str) -> Any:
            if name in self.public:
                return self._find(name)
            if others:
                return others(name)
            raise AttributeError(
                f'module {module.__name__!r} has no attribute {name!r}')

        setattr(find, 'of', self)
        module.__dict__['__getattr__'] = find

    def _complete_stars(self, module: ModuleType) -> None:
        """Give packages without ``__all__`` one, late names included.

        After the outermost package, whose own ``import *`` is to take no late
        name.
        """
        if module.__name__ != self.holders[-1]:
            return
        for name in self.holders:
            package = sys.modules[name].__dict__
            public = [key for key in package if not key.startswith('_')]
            package.setdefault('__all__', [*public, *self.public])
