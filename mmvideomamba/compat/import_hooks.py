"""Modules that stand in for others, and actions around an import."""
import builtins
import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from contextlib import ExitStack, contextmanager
from typing import (Any, Callable, ContextManager, Dict, Iterator, List,
                    Mapping, Optional, Sequence)


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
_Frame = Callable[[types.ModuleType], ContextManager[None]]

# From the id of a module's namespace to the answers to its imports.
_Answer = Callable[[str, Sequence[str]], Any]
_ANSWERS: Dict[int, _Answer] = {}
_USUAL: List[Callable[..., Any]] = []


def _import(name: str,
            globals: Any = None,
            locals: Any = None,
            fromlist: Any = (),
            level: int = 0) -> Any:
    """Stand for ``builtins.__import__`` while there are answers."""
    # A finder in sys.meta_path would not learn who imports; the namespace
    # tells the importing module.
    answer = _ANSWERS.get(id(globals))
    if answer is not None:
        other = answer('.' * level + name, fromlist or ())
        if other is not None:
            return other
    return _USUAL[0](name, globals, locals, fromlist, level)


@contextmanager
def other_imports(module: types.ModuleType, answer: _Answer) -> Iterator[None]:
    """Answer the import statements of a module while the module is imported.

    Statements of all other modules, in other threads too, are answered as
    usual. ``builtins`` is the only place where Python looks for
    ``__import__``, the function of the statement.

    Args:
        module (ModuleType): The module, before its code runs.
        answer (Callable): From the name after ``import`` or ``from``, with
            the dots of a relative import, and the imported names, to
            the object for the statement in place of a module; None for
            the usual answer. May raise ImportError.
    """
    key = id(module.__dict__)
    if builtins.__import__ is not _import:
        # Not the builtin: another tool may have put in a function before.
        _USUAL[:] = [builtins.__import__]
        builtins.__import__ = _import
    _ANSWERS[key] = answer
    try:
        yield
    finally:
        del _ANSWERS[key]
        # A function put on top in between keeps ``_import`` behind, without
        # answers.
        if not _ANSWERS and builtins.__import__ is _import:
            builtins.__import__ = _USUAL[0]


def late_function(module: str, name: str) -> Callable[..., Any]:
    """Make a function; a call imports the module.

    Args:
        module (str): Full name of the module.
        name (str): Of the function in the module.

    Returns:
        Callable: Passes arguments and result on.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    call.__name__ = name
    return call


@contextmanager
def late_functions(module: types.ModuleType,
                   places: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Let ``from place import function`` of a module import nothing yet.

    Args:
        module (ModuleType): The module, before its code runs.
        places (Mapping[str, Sequence[str]]): Full name of a module to names
            of functions, called by the module and not looked at. A statement
            with other names is answered as usual.
    """

    def answer(name: str, taken: Sequence[str]) -> Any:
        if not taken or not set(taken) <= set(places.get(name, ())):
            return None
        return types.SimpleNamespace(
            **{key: late_function(name, key)
               for key in taken})

    with other_imports(module, answer):
        yield


class AfterImport(importlib.abc.MetaPathFinder):
    """Run actions right after or around the first import of a module.

    ``import mmvideomamba`` stays cheap: the module to heal is not loaded for
    users who never need the module. ``importlib`` has no event for a finished
    import, so the loader's ``exec_module`` is wrapped, for modules with an
    action alone. A single finder looks after all of them, as Python asks each
    finder at each import.
    """

    def __init__(self) -> None:
        self.actions: Dict[str, List[_Action]] = {}
        self.frames: Dict[str, List[_Frame]] = {}

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
        _FINDER._add(_FINDER.actions, name, action)

    @classmethod
    def surround(cls, name: str, frame: _Frame) -> None:
        """Enter a context before the code of a module runs; leave it after.

        A module that is already there is left alone.

        Args:
            name (str): Full name of the module.
            frame (Callable): From the module, still empty, to a context
                manager. Left before the actions after the import.
        """
        if name not in sys.modules:
            _FINDER._add(_FINDER.frames, name, frame)

    def _add(self, table: Dict[str, List[Any]], name: str, new: Any) -> None:
        if self not in sys.meta_path:
            # In front of the finders that find the modules.
            sys.meta_path.insert(0, self)
        table.setdefault(name, []).append(new)

    def _find_by_others(
            self, fullname: str, path: Any,
            target: Any) -> Optional[importlib.machinery.ModuleSpec]:
        """Ask the finders after this finder."""
        # importlib.util.find_spec would come back to this finder for ever.
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
        """Find the module as usual and add the actions to its import."""
        if fullname not in self.actions and fullname not in self.frames:
            return None
        spec = self._find_by_others(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                with ExitStack() as stack:
                    for frame in self.frames.get(fullname, ()):
                        stack.enter_context(frame(module))
                    execute(module)
                # Only after success: a failed import may be tried again.
                self.frames.pop(fullname, None)
                for action in self.actions.pop(fullname, ()):
                    action(module)

            setattr(spec.loader, 'exec_module', exec_module)
        return spec


_FINDER = AfterImport()
