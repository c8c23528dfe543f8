"""Scripts outside the package, loaded as modules."""
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


def load_script(path: str) -> ModuleType:
    """Load a script without running ``main``.

    Args:
        path (str): Path below the root of the repository.

    Returns:
        ModuleType: The script, under a name of no other module, so that
        processes made by ``fork`` find the functions.
    """
    file = ROOT / path
    name = f'script_{file.stem}'
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
