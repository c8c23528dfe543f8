"""Tools inside the wheels of the hosts."""
from pathlib import Path

from mmvideomamba.compat import package_dir

HOSTS = ('mmaction', 'mmpretrain')


def find_tool(host: str, name: str) -> Path:
    """Find a tool of an installed host.

    Args:
        host (str): 'mmaction' or 'mmpretrain'.
        name (str): Path below the host's tools folder, or a unique file name
            in the folder; '.py' may be left out.

    Returns:
        Path: The script.

    Raises:
        FileNotFoundError: If the host or the tool is not installed.
        ValueError: If several tools have the name.
    """
    folder = package_dir(host)
    # The wheels of OpenMMLab keep the tools in .mim.
    root = Path() if folder is None else folder / '.mim' / 'tools'
    if folder is None or not root.is_dir():
        raise FileNotFoundError(f'the tools of {host} are not installed; '
                                'install its wheel')
    wanted = Path(name).with_suffix('.py')
    if (root / wanted).is_file():
        return root / wanted
    tools = [path.relative_to(root) for path in sorted(root.rglob('*.py'))]
    found = [tool for tool in tools if tool.name == str(wanted)]
    if len(found) == 1:
        return root / found[0]
    if found:
        raise ValueError(f'{host} has several tools {name}: '
                         f'{", ".join(map(str, found))}')
    raise FileNotFoundError(f'{host} has no tool {name}; it has '
                            f'{", ".join(map(str, tools))}')
