"""Modules that stand in for absent ones, and actions after an import."""
import importlib.abc
import importlib.machinery
import sys
import types
from typing import Any, Callable, Dict, List, Optional


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


_Action = Callable[[types.ModuleType], None]


class AfterImport(importlib.abc.MetaPathFinder):
    """Run actions right after a module is imported for the first time.

    ``import mmvideomamba`` stays cheap: the module to heal is not loaded for
    users who never need the module. ``importlib`` has no event for a finished
    import, so the loader's ``exec_module`` is wrapped, for modules with an
    action alone. A single finder looks after all of them, as Python asks each
    finder at each import.
    """

    def __init__(self) -> None:
        self.actions: Dict[str, List[_Action]] = {}

    @classmethod
    def register(cls, name: str, action: _Action) -> None:
        """Act now if the module is already there, else after its import.

        Args:
            name (str): Full name of the module.
            action (Callable): Takes the imported module. Actions of a module
                run in the order of their registration.
        """
        if name in sys.modules:
            action(sys.modules[name])
            return
        if _FINDER not in sys.meta_path:
            sys.meta_path.insert(0, _FINDER)
        _FINDER.actions.setdefault(name, []).append(action)

    def _find_by_others(
            self, fullname: str, path: Any,
            target: Any) -> Optional[importlib.machinery.ModuleSpec]:
        """Ask the finders behind this one."""
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
        """Find the module as usual and append the actions to its import."""
        if fullname not in self.actions:
            return None
        spec = self._find_by_others(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                execute(module)
                for action in self.actions.pop(fullname, ()):
                    action(module)

            spec.loader.exec_module = exec_module  # type: ignore
        return spec


_FINDER = AfterImport()
