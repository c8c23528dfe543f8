"""Each unreadable real file costs a sample, not the run."""
import json
import os
import shutil
from pathlib import Path
from typing import Dict, List

import mmengine
import pytest
from host_tools import CONFIG, run_tool_here

pytestmark = pytest.mark.slow

# Part of the message of each file.
BAD = {
    'missing.mp4': 'does not exist',
    'cut.mp4': 'cut off',
    'page.mp4': 'is not',
    'pipe.mp4': 'regular file',
}


@pytest.fixture
def folder(clips: Path, tmp_path: Path) -> Path:
    """Return a folder of good and bad videos."""
    for name in ('0_0.mp4', '1_1.mp4', '0_2.mp4', '1_3.mp4'):
        shutil.copy(clips / 'data' / name, tmp_path)
    content = (tmp_path / '0_0.mp4').read_bytes()
    (tmp_path / 'cut.mp4').write_bytes(content[:len(content) // 2])
    (tmp_path / 'page.mp4').write_text('<html>404 not found</html>\n' * 20)
    os.mkfifo(tmp_path / 'pipe.mp4')
    return tmp_path


def run(tool: str, part: str, folder: Path, names: List[str], *arguments:
        str) -> Dict[str, str]:
    """Run a stock tool; return the faults of bad_media.json by file."""
    (folder / 'ann.txt').write_text(''.join(f'{n} {i % 2}\n'
                                            for i, n in enumerate(names)))
    dataset = f'{part}_dataloader.dataset'
    run_tool_here(
        tool, CONFIG, *arguments, '--work-dir', folder / 'work',
        '--cfg-options', f'{dataset}.ann_file={folder / "ann.txt"}',
        f'{dataset}.data_prefix.video={folder}',
        f'{dataset}.max_bad_share=0.6', f'{dataset}.bad_media='
        f'{"replace" if part == "train" else "report"}',
        'train_cfg.max_epochs=1')
    content = json.loads((folder / 'work/bad_media.json').read_text())
    return {
        Path(entry['file']).name: entry['fault']
        for entry in content['files'] if entry['part'] == part
    }


def test_training_and_test_run_through(clips: Path, folder: Path,
                                       trained: Path, monkeypatch) -> None:
    monkeypatch.chdir(clips)
    good = ['0_0.mp4', '1_1.mp4', '0_2.mp4', '1_3.mp4']
    found = run('train.py', 'train', folder, [*good, *BAD])
    assert found.keys() == BAD.keys()
    for name, fault in BAD.items():
        assert fault in found[name]
    dump = folder / 'dump.pkl'
    # The last file of the test is bad.
    found = run('test.py', 'test', folder, [*good[:3], *BAD],
                trained / 'epoch_3.pth', '--dump', dump)
    assert found.keys() == BAD.keys()
    results = mmengine.load(dump)
    assert [one['sample_idx'] for one in results] == [0, 1, 2]
    assert [int(one['gt_label']) for one in results] == [0, 1, 0]
