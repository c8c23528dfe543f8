"""Tables of predictions: JSON, CSV and Parquet."""
import csv
import io
import json
from pathlib import Path
from typing import Any, Dict, List, Sequence

from mmvideomamba.atomic_file import write_file
from mmvideomamba.extras import require
from .prediction import Prediction

FORMATS = ('.json', '.csv', '.parquet')


def pyarrow_module(name: str) -> Any:
    """Import a module of pyarrow.

    Args:
        name (str): Such as 'pyarrow.parquet'.

    Returns:
        module: The module.

    Raises:
        MissingExtraError: If pyarrow is not installed.
    """
    return require(name, 'parquet', 'a Parquet file')


def check_table(path: Path, formats: Sequence[str] = FORMATS) -> Path:
    """Check that a table can be written, before the work begins.

    Args:
        path (Path): The file; the ending is the format.
        formats (Sequence[str]): Endings allowed. Defaults to ``FORMATS``.

    Returns:
        Path: The same; the folder is there.

    Raises:
        ValueError: If the ending is unknown, or a package is missing.
        OSError: If the folder cannot be made.
    """
    if path.suffix not in formats:
        raise ValueError(f'{path}: the ending of the file must be one of '
                         f'{", ".join(formats)}')
    if path.is_dir():
        raise ValueError(f'{path} is a folder; name a file')
    if path.suffix == '.parquet':
        pyarrow_module('pyarrow.parquet')
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _csv_rows(predictions: Sequence[Prediction]) -> List[Dict[str, Any]]:
    """Return the rows of a CSV file; a column for each of the best classes."""
    rows = []
    for one in predictions:
        row: Dict[str, Any] = dict(input=one.input)
        best = zip(one.labels, one.names, one.probabilities)
        for i, (label, name, probability) in enumerate(best, 1):
            row.update({
                f'label_{i}': label,
                f'name_{i}': name,
                f'probability_{i}': f'{probability:.6g}'
            })
        row['value'] = one.value
        row['frames'] = ';'.join(' '.join(map(str, c)) for c in one.frames)
        row['error'] = one.error
        rows.append(row)
    return rows


def _csv_text(predictions: Sequence[Prediction]) -> str:
    """Return the content of a CSV file."""
    most = max((len(one.labels) for one in predictions), default=0)
    columns = ['input']
    for i in range(1, most + 1):
        columns += [f'label_{i}', f'name_{i}', f'probability_{i}']
    if any(one.value is not None for one in predictions):
        columns.append('value')
    text = io.StringIO()
    # 'ignore': each row has a value, also where no column is for numbers.
    writer = csv.DictWriter(
        text, [*columns, 'frames', 'error'],
        extrasaction='ignore',
        lineterminator='\n')
    writer.writeheader()
    writer.writerows(_csv_rows(predictions))
    return text.getvalue()


def _parquet_bytes(predictions: Sequence[Prediction]) -> bytes:
    """Return the content of a Parquet file."""
    arrow: Any = pyarrow_module('pyarrow')
    parquet: Any = pyarrow_module('pyarrow.parquet')
    types = dict(
        input=arrow.string(),
        labels=arrow.list_(arrow.int64()),
        names=arrow.list_(arrow.string()),
        probabilities=arrow.list_(arrow.float64()),
        frames=arrow.list_(arrow.list_(arrow.int64())),
        times=arrow.list_(arrow.list_(arrow.float64())),
        value=arrow.float64(),
        error=arrow.string())
    table = arrow.table({
        key:
        arrow.array([getattr(one, key) for one in predictions], kind)
        for key, kind in types.items()
    })
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    return buffer.getvalue()


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write a table that is never seen in part.

    JSON is a list of dicts, see ``Prediction.to_dict``. CSV has the columns
    input; label_1, name_1, probability_1 and so on, the best first; value, of
    models of numbers; frames, with ';' between clips; error. Parquet has the
    fields of ``Prediction`` as columns.

    Args:
        path (Path): The file, see ``check_table``.
        predictions (Sequence[Prediction]): The rows.
    """
    if path.suffix == '.parquet':
        write_file(path, _parquet_bytes(predictions))
    elif path.suffix == '.csv':
        write_file(path, _csv_text(predictions))
    else:
        rows = ',\n'.join(
            json.dumps(one.to_dict(), ensure_ascii=False)
            for one in predictions)
        write_file(path, f'[\n{rows}\n]\n' if rows else '[]\n')
