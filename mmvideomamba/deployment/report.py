"""The report next to exported files."""
import json
import platform
from datetime import date
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import torch

from mmvideomamba.compat import installed_version
from mmvideomamba.version import __version__

_PACKAGES = ('onnx', 'onnxruntime', 'onnxscript', 'executorch', 'numba')


def processor() -> str:
    """Return the name of the processor."""
    # platform.processor() is empty on many Linux systems.
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(':')[2] for line in lines if 'model name' in line]
    return names[0].strip() if names else platform.processor()


def versions() -> Dict[str, str]:
    """Return the versions with an effect on files and times."""
    found = {
        'mmvideomamba': __version__,
        'Python': platform.python_version(),
        'torch': torch.__version__
    }
    known = {name: installed_version(name) for name in _PACKAGES}
    return {**found, **{name: v for name, v in known.items() if v}}


def _milliseconds(seconds: Optional[float]) -> str:
    return '' if seconds is None else f'{1000 * seconds:.1f}'


def _shape(tensor: Dict[str, Any]) -> str:
    sizes = ', '.join(str(size) for size in tensor['shape'])
    return f'`{tensor["name"]}` {tensor["dtype"]} ({sizes})'


def _markdown(report: Dict[str, Any]) -> List[str]:
    """Lay a report out as lines of Markdown."""
    described, times = report['metadata'], report['seconds']
    tensors = described['tensors']
    lines = [
        f'# Exported: {described.get("task", "a model")}', '',
        f'Input: {", ".join(map(_shape, tensors["inputs"]))}.', '',
        f'Outputs: {"; ".join(map(_shape, tensors["outputs"]))}.', '',
        '| file | size | nodes | largest difference | time |',
        '|---|---|---|---|---|'
    ]
    for row in report['files']:
        lines.append(f'| {row["path"]} | {row["size"] / 1e6:.1f} MB | '
                     f'{row["nodes"]} | {row["difference"]:.1e} | '
                     f'{_milliseconds(row["seconds"])} ms |')
        if row['seconds'] is None:
            lines[-1] = lines[-1].replace('|  ms |', '| not timed |')
    lines += [
        '', f'The largest difference allowed is {report["limit"]}, of the '
        'outputs of the model in torch on random input; each file was run by '
        'its runtime.', ''
    ]
    if times:
        base = times.get('eager numba')
        lines += [
            '| in the same run | time of an input | beside eager numba |',
            '|---|---|---|'
        ]
        lines += [
            f'| {name} | {_milliseconds(each)} ms | ' +
            (f'{each / base:.2f}' if base else '') + ' |'
            for name, each in times.items()
        ]
        lines.append('')
    found = ', '.join(f'{k} {v}' for k, v in report['versions'].items())
    lines.append(f'{report["date"]}, {report["processor"]}, '
                 f'{report["threads"]} thread(s); {found}.')
    return lines


def write_report(folder: Path, files: Sequence[Dict[str, Any]],
                 times: Dict[str, float], metadata: Dict[str, Any],
                 limit: float) -> None:
    """Write ``report.json`` and ``report.md``.

    Args:
        folder (Path): Folder of the files.
        files (Sequence[dict]): Of each file ``kind``, ``path`` (a name),
            ``size`` in bytes, ``nodes``, ``difference`` and ``seconds``.
        times (dict[str, float]): Median seconds of an input, by file and
            backend; empty if not timed.
        metadata (dict): Of the files.
        limit (float): The largest difference allowed.
    """
    report = dict(
        files=list(files),
        limit=limit,
        seconds=times,
        date=date.today().isoformat(),
        processor=processor(),
        threads=torch.get_num_threads(),
        versions=versions(),
        metadata=metadata)
    folder.joinpath('report.json').write_text(
        json.dumps(report, indent=1) + '\n')
    folder.joinpath('report.md').write_text('\n'.join(_markdown(report)) +
                                            '\n')
