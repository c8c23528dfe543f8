"""Modules that stand in for absent ones, and actions after an import."""
import importlib.abc
import importlib.machinery
import sys
import types
from typing import Any, Callable, Optional


def stand_in(name: str, attribute: Callable[[str], Any]) -> None:
    """Register a module whose attributes are made when first asked for.

    Args:
        name (str): Full name of the module, absent on this machine.
        attribute (Callable): From the name of an attribute to its value;
            raises AttributeError for an unknown name. Never asked for special
            names such as ``__file__``.
    """

    def public(key: str) -> Any:
        # ``inspect`` asks all modules for ``__file__``, also while others are
        # half imported: no moment to import more.
        if key.startswith('__'):
            raise AttributeError(key)
        return attribute(key)

    module = types.ModuleType(name, 'Stand-in made by mmvideomamba.compat.')
    module.__dict__['__getattr__'] = public
    sys.modules[name] = module


class AfterImport(importlib.abc.MetaPathFinder):
    """Run an action right after a module is imported for the first time.

    ``import mmvideomamba`` stays cheap: the module to heal is not loaded for
    users who never need the module. ``importlib`` has no event for a finished
    import, so the loader's ``exec_module`` is wrapped, for this module alone.

    Args:
        name (str): Full name of the module.
        action (Callable): Takes the imported module.
    """

    def __init__(self, name: str, action: Callable[[types.ModuleType],
                                                   None]) -> None:
        self.name = name
        self.action = action

    @classmethod
    def register(cls, name: str, action: Callable[[types.ModuleType],
                                                  None]) -> None:
        """Act now if the module is already there, else after its import."""
        if name in sys.modules:
            action(sys.modules[name])
        else:
            sys.meta_path.insert(0, cls(name, action))

    def _find_by_others(
            self, fullname: str, path: Any,
            target: Any) -> Optional[importlib.machinery.ModuleSpec]:
        """Ask the finders behind this one; some may hold further actions."""
        place = sys.meta_path.index(self)
        for finder in sys.meta_path[place + 1:]:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
        return None

    def find_spec(
            self,
            fullname: str,
            path: Any = None,
            target: Any = None) -> Optional[importlib.machinery.ModuleSpec]:
        """Find the module as usual and append the action to its import."""
        if fullname != self.name:
            return None
        spec = self._find_by_others(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                execute(module)
                self.action(module)
                sys.meta_path.remove(self)

            spec.loader.exec_module = exec_module  # type: ignore
        return spec
