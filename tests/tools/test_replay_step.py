"""The script prints findings, and errors in one line."""
from pathlib import Path
from unittest import mock

import pytest
import torch
from script import load_script

main = load_script('tools/replay_step.py').main


def test_options(capsys: pytest.CaptureFixture) -> None:
    command = ['replay_step.py', 'a.pth', '--device', 'cuda', '--trust-config']
    with mock.patch('sys.argv', command), mock.patch(
            'script_replay_step.replay_file', return_value='found') as replay:
        main()
    assert replay.call_args.args == ('a.pth', 'cuda', True)
    assert capsys.readouterr().out == 'found\n'


def test_error(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    torch.save({}, path)
    with mock.patch('sys.argv', ['replay_step.py', str(path)]):
        with pytest.raises(SystemExit, match='error: .*not a replay file'):
            main()
