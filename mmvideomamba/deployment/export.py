"""Write a model into files, and verify each."""
import copy
import json
import os
from pathlib import Path
from typing import (Any, Callable, Dict, List, NamedTuple, Optional, Sequence,
                    Tuple, Union)

from mmengine.logging import print_log
from torch import Tensor, nn

from mmvideomamba.extras import MissingExtraError
from .interface import DYNAMIC, Interface, make_interface, metadata
from .onnx_file import ONNX, check_opset
from .plain_copy import plain_copy
from .program import Format, Outputs, Program, trace
from .pt2_file import PT2
from .pte_file import PTE
from .report import write_report
from .verify import LIMIT, Verifier, time_files
from .wrappers import ExportWrapper, wrap

FORMATS: Dict[str, Format] = dict(pt2=PT2, onnx=ONNX, pte=PTE)


class ExportedFile(NamedTuple):
    """A file with the results of the model.

    Args:
        kind (str): The format, a key of ``FORMATS``.
        path (Path): The file.
        size (int): Bytes.
        nodes (int): Operators of the graph.
        difference (float): The largest from the model, see
            ``verify.difference``.
        seconds (float, optional): Median time of a run; None if not timed.
    """
    kind: str
    path: Path
    size: int
    nodes: int
    difference: float
    seconds: Optional[float] = None


def check_formats(formats: Sequence[str]) -> Tuple[str, ...]:
    """Check names and installed packages of formats.

    Args:
        formats (Sequence[str]): Keys of ``FORMATS``.

    Returns:
        tuple[str]: The names, each once.

    Raises:
        ValueError: If a name is unknown.
        MissingExtraError: If a package is not installed.
    """
    for name in formats:
        if name not in FORMATS:
            raise ValueError(f'unknown format {name!r}; choose from '
                             f'{", ".join(FORMATS)}')
        missing = FORMATS[name].missing()
        if missing:
            raise MissingExtraError(
                f'the format {name} needs {", ".join(missing)}, not '
                f'installed: {FORMATS[name].install()}')
    if not formats:
        raise ValueError(f'no format is given; choose from '
                         f'{", ".join(FORMATS)}')
    return tuple(dict.fromkeys(formats))


def _check_frames(wrapper: ExportWrapper, frames: Optional[int]) -> None:
    """Refuse a number of frames other than the model's."""
    if frames is None:
        return
    if not isinstance(wrapper.input_axes[2], int) or len(
            wrapper.input_axes) < 5:
        raise ValueError(f'frames={frames}: the model takes images; leave '
                         'frames out')
    if frames != wrapper.input_axes[2]:
        raise ValueError(f'frames={frames}: the model is built for '
                         f'{wrapper.input_axes[2]} frames; build it with '
                         f'num_frames={frames} (checkpoints adapt)')


def _prepare(folder: Path, formats: Sequence[str]) -> None:
    """Make the folder, and remove the files of an earlier export.

    An older file or report, left after an interrupted export, would pass for
    a result of the new export.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f'{folder} is a file; name a folder')
    folder.mkdir(parents=True, exist_ok=True)
    stale = ['report.md', 'report.json']
    for kind in formats:
        suffix = FORMATS[kind].suffix
        stale += [f'model{suffix}', f'model.failed{suffix}']
    for name in stale:
        folder.joinpath(name).unlink(missing_ok=True)


def _write(kind: str, program: Program, folder: Path,
           verifier: Verifier) -> ExportedFile:
    """Write a file, named after the check has passed."""
    form = FORMATS[kind]
    path = folder / f'model{form.suffix}'
    draft = folder / f'model.failed{form.suffix}'
    nodes = form.write(program, draft)
    found = verifier.difference(form, draft)
    # Also of NaN.
    if not found <= LIMIT:
        raise ValueError(
            f'{draft} departs from the model by {found:.2g}, more than '
            f'{LIMIT}; do not use it, and report it with the versions of '
            'torch and of the runtime')
    os.replace(draft, path)
    print_log(
        f'{path}: {path.stat().st_size / 1e6:.1f} MB, {nodes} nodes, '
        f'largest difference {found:.1g}', 'current')
    return ExportedFile(kind, path, path.stat().st_size, nodes, found)


def _time(plain: ExportWrapper, files: List[ExportedFile],
          interface: Interface, rounds: int) -> Dict[str, float]:
    """Time all files next to the eager backends."""
    opened: Dict[str, Callable[[Tensor], Outputs]] = {
        file.kind: FORMATS[file.kind].open(file.path)
        for file in files
    }
    return time_files(plain, opened, interface, rounds)


def export_model(model: nn.Module,
                 description: Dict[str, Any],
                 folder: Union[str, Path],
                 formats: Sequence[str] = ('pt2', 'onnx'),
                 batch: Union[int, str] = DYNAMIC,
                 frames: Optional[int] = None,
                 opset: Optional[int] = None,
                 views: Union[int, str, None] = None,
                 rounds: int = 5) -> List[ExportedFile]:
    """Write a model into a file of each format.

    The runtime of a format runs the file, and the outputs are compared with
    the model's, before the file gets the name ``model.pt2`` (or the suffix of
    another format). A file with a difference above ``LIMIT`` stays as
    ``model.failed.pt2``.
    ``report.md`` and ``report.json`` are written next to the files. Files of
    the named formats and a report of an earlier export are removed first.

    Args:
        model (nn.Module): A recognizer, an image classifier or a VideoMamba;
            unchanged.
        description (dict): Of ``inference.saved.describe``, for the metadata.
        folder (str | Path): For the files; made if there is none.
        formats (Sequence[str]): Keys of ``FORMATS``. Defaults to
            ``('pt2', 'onnx')``.
        batch (int | str): 'dynamic', or the only batch. Defaults to
            'dynamic'.
        frames (int, optional): Required number of frames of the model.
            Defaults to None, any number.
        opset (int, optional): Version of ONNX's operators. Defaults to None,
            ``onnx_file.OPSET``.
        views (int | str, optional): 'dynamic', or the only number of views of
            a video. Defaults to None: dynamic with a dynamic batch, else 1.
        rounds (int): Timed runs of each file; 0 for no timing. Defaults to 5.

    Returns:
        list[ExportedFile]: The files, in the order of ``formats``.

    Raises:
        ValueError: If a format, a size or the model is not allowed, or a file
            departs from the model.
    """
    formats = check_formats(formats)
    if rounds < 0:
        raise ValueError(f'rounds must be 0 or more, but got {rounds}')
    if opset is not None:
        check_opset(opset)
    model = copy.deepcopy(model).cpu().float().eval()
    wrapper = wrap(model).eval()
    _check_frames(wrapper, frames)
    interface = make_interface(wrapper, batch, views)
    # The expected outputs come from the model before the merge of adapters: a
    # wrong merge shows in each file.
    verifier = Verifier(model, wrapper, interface)
    plain: Any = plain_copy(wrapper)
    program = Program(
        trace(plain, interface),
        metadata(description, wrapper, interface, verifier.expected[0]),
        tuple(wrapper.output_axes), opset)
    folder = Path(folder)
    _prepare(folder, formats)
    files = [_write(kind, program, folder, verifier) for kind in formats]
    times = _time(plain, files, interface, rounds) if rounds else {}
    files = [file._replace(seconds=times.get(file.kind)) for file in files]
    rows = [dict(file._asdict(), path=file.path.name) for file in files]
    # At the end: a report stands for a finished export.
    write_report(folder, rows, times, json.loads(program.metadata), LIMIT)
    return files
