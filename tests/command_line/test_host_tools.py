"""Tools of a host are found by path or by name."""
import pytest

from mmvideomamba.command_line import find_tool


def test_find_tool() -> None:
    path = find_tool('mmaction', 'analysis_tools/get_flops')
    assert path == find_tool('mmaction', 'get_flops.py')
    assert path.is_file()
    with pytest.raises(FileNotFoundError, match='get_flops'):
        find_tool('mmaction', 'get_flips')
    with pytest.raises(ValueError, match='several tools'):
        find_tool('mmaction', 'generate_file_list')
