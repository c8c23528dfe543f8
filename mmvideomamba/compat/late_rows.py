"""Registry rows, imported at the first use of a row."""
from typing import Any, Callable, Dict, Iterator, List


class _LateRow:
    """Stand for a row before the import of the row.

    Args:
        load (Callable): Imports the row and sets the row in the registry.
    """

    def __init__(self, load: Callable[[], None]) -> None:
        self.load = load


class LateRows(dict):
    """Names and values of a registry, with late values among them.

    All names are there from the start. A late value is imported when anyone
    looks at it, so nobody ever sees a stand-in. A registry of mmengine is a
    plain dict below, without a hook for a row.
    """

    @classmethod
    def of(cls, registry: Any) -> 'LateRows':
        """Let a registry keep late rows.

        Args:
            registry (Registry): Of mmengine.

        Returns:
            LateRows: The rows of the registry, late ones from now on too.
        """
        if not isinstance(registry._module_dict, cls):
            registry._module_dict = cls(registry._module_dict)
        return registry._module_dict

    def add_late(self, name: str, load: Callable[[], None]) -> None:
        """Add a row, imported at the first use of the value.

        Args:
            name (str): Of the row. An older row stays.
            load (Callable): Sets the row of this name.
        """
        super().setdefault(name, _LateRow(load))

    def take_late(self, name: str) -> Dict[str, Any]:
        """Take a late row out, ahead of the registering code.

        Args:
            name (str): Of the row.

        Returns:
            dict: The row, for ``put_back``; empty for any other row.
        """
        if isinstance(super().get(name), _LateRow):
            return {name: super().pop(name)}
        return {}

    def put_back(self, row: Dict[str, Any]) -> None:
        """Put a late row back, after a failed import.

        Args:
            row (dict): Of ``take_late``. An older row stays.
        """
        for name, value in row.items():
            super().setdefault(name, value)

    def loaded(self) -> List[Any]:
        """List the values that are imported already."""
        return [
            value for value in super().values()
            if not isinstance(value, _LateRow)
        ]

    def _load(self, name: Any) -> None:
        row = super().get(name)
        if isinstance(row, _LateRow):
            row.load()

    def _load_all(self) -> None:
        """Load all late rows; drop rows without an installed package.

        The hosts leave such rows out, too.
        """
        # A copy of the names: a load changes the table.
        for name in list(self):
            try:
                self._load(name)
            except ImportError:
                self.take_late(name)

    def __getitem__(self, name: Any) -> Any:
        self._load(name)
        return super().__getitem__(name)

    def get(self, name: Any, default: Any = None) -> Any:
        self._load(name)
        return super().get(name, default)

    def pop(self, name: Any, *default: Any) -> Any:
        self._load(name)
        return super().pop(name, *default)

    def popitem(self) -> Any:
        self._load_all()
        return super().popitem()

    def setdefault(self, name: Any, default: Any = None) -> Any:
        self._load(name)
        return super().setdefault(name, default)

    def __iter__(self) -> Iterator[Any]:
        # With a method of its own, ``dict(rows)`` and ``{**rows}`` ask for
        # the values here rather than read the table below.
        return super().__iter__()

    def items(self) -> Any:
        self._load_all()
        return super().items()

    def values(self) -> Any:
        self._load_all()
        return super().values()

    def __eq__(self, other: Any) -> bool:
        self._load_all()
        return super().__eq__(other)

    # dict has an __ne__ of its own, without a call of __eq__.
    def __ne__(self, other: Any) -> bool:
        return not self == other

    def __repr__(self) -> str:
        self._load_all()
        return super().__repr__()
