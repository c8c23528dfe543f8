"""A report for people, a report for programs, and cleaned lists."""
import json
from pathlib import Path

import pytest

from mmvideomamba.datasets.preparation import check_report
from mmvideomamba.datasets.preparation.media_check import (CheckSettings,
                                                           FileCheck)
from mmvideomamba.datasets.preparation.media_list import Fault, read_list


def test_kinds() -> None:
    assert not check_report.KINDS.keys() & check_report.NOTES.keys() and set(
        check_report.MENDED) <= check_report.KINDS.keys()


def test_summary_counts_and_shows_the_first() -> None:
    faults = [Fault('damaged', 'is cut off', 'a.txt', n, f'{n}.mp4')
              for n in range(1, 9)]  # yapf: disable
    faults.append(Fault('open-end', 'is open', 'a.json', 0, 'x.ts'))
    text = check_report.summarize(faults, 2)
    assert '8 files that are damaged' in text and 'and 6 more' in text
    assert 'a.txt line 1: 1.mp4 is cut off' in text and '3.mp4' not in text
    assert 'note: 1 videos' in text and 'a.json entry 0: x.ts' in text
    assert len(check_report.only_faults(faults)) == 8


def test_report_comes_back(tmp_path: Path) -> None:
    path = tmp_path / 'deep' / 'report.json'
    checks = {'a.mp4': FileCheck(frames=3), 'b\udcff.mp4': FileCheck('hung')}
    faults = [Fault('hung', 'x'), Fault('left-out', 'x')]
    assert check_report.read_checks(path) == {}
    check_report.write_report(path, CheckSettings(), checks, (), faults, True)
    assert check_report.read_checks(path) == checks
    content = json.loads(path.read_text())
    assert content['counts'] == dict(hung=1) and content['complete']
    path.write_text(json.dumps(dict(content, version=0)))
    assert check_report.read_checks(path) == {}
    path.write_text('{}')
    with pytest.raises(ValueError, match='report.json is not a report'):
        check_report.read_checks(path)


def test_cleaned_list(tmp_path: Path) -> None:
    path = tmp_path / 'train.txt'
    path.write_text('a.mp4 0\nb.mp4  0\nc.mp4 1\n\nd.mp4\n')
    media = read_list(path)
    faults = media.faults + [
        Fault('damaged', 'x', str(path), 3, 'c.mp4'),
        Fault('open-end', 'x', str(path), 1, 'a.mp4')
    ]
    target, = check_report.clean_paths([media], tmp_path / 'clean')
    told = '\n'.join(check_report.write_clean([media], faults, [target]))
    assert target.read_text() == 'a.mp4 0\nb.mp4 0\n'
    assert '2 lines, 2 left out, 1 mended' in told
    assert 'label 1: 1 of 1' in told and 'no sample is left of label 1' in told
    with pytest.raises(ValueError, match='exists'):
        check_report.clean_paths([media], tmp_path / 'clean')
    with pytest.raises(ValueError, match='exists'):
        check_report.clean_paths([media], tmp_path)


def test_lists_of_one_name_stay_apart(tmp_path: Path) -> None:
    for task in ('one', 'two'):
        (tmp_path / task).mkdir()
        (tmp_path / task / 'train.txt').write_text('a.mp4 0\n')
    lists = [read_list(tmp_path / t / 'train.txt') for t in ('one', 'two')]
    assert check_report.clean_paths(lists, tmp_path / 'new') == [
        tmp_path / 'new/one/train.txt', tmp_path / 'new/two/train.txt'
    ]
    lists[0].form = 'folders'
    with pytest.raises(ValueError, match='build_annotations'):
        check_report.clean_paths(lists, tmp_path / 'new')
