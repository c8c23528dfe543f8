"""Lines of annotation files, read leniently, with names for the faults."""
import math
from collections import Counter
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

DELIMITERS = (' ', ',', '\t', ';')
NAMES = {' ': 'a space', ',': 'a comma', '\t': 'a tab', ';': 'a semicolon'}
# Form of a list: number of columns at least and at most, types of the
# columns after the path.
FORMS: Dict[str, Tuple[int, float, Tuple[type, ...]]] = {
    'class': (2, 2, (int, )),
    'multi-class': (2, math.inf, (int, )),
    'number': (2, 2, (float, )),
    'window': (2, 3, (int, float)),
    'number-window': (2, 3, (float, float)),
    'unlabelled': (1, 1, ()),
}


class Line(NamedTuple):
    """A line cut into columns.

    Args:
        path (str): First column.
        columns (tuple[str]): The others.
        fault (str): Fault of the separators, '' for none.
    """
    path: str
    columns: Tuple[str, ...]
    fault: str = ''


def is_number(text: str, kind: type = float) -> bool:
    """Tell whether a text is a finite number.

    Args:
        text (str): The text.
        kind (type): float or int. Defaults to float.

    Returns:
        bool: True for a number.
    """
    try:
        return math.isfinite(kind(text))
    except (ValueError, OverflowError):
        return False


def cut_line(line: str, delimiter: str) -> Line:
    """Cut a line into columns, in spite of surplus white space.

    Args:
        line (str): A stripped line.
        delimiter (str): Expected between the columns.

    Returns:
        Line: The columns; ``fault`` tells whether a plain split at each
        delimiter gives other columns.
    """
    columns = line.split(delimiter)
    kept = [column.strip() for column in columns]
    kept = [column for column in kept if column] or ['']
    if len(kept) > 1 and kept != columns:
        white = delimiter.isspace() or len(kept) < len(columns)
        fault = (f'more than {NAMES.get(delimiter, repr(delimiter))} between '
                 'two columns' if white else
                 f'white space next to the separator {delimiter!r}')
        return Line(kept[0], tuple(kept[1:]), fault)
    return Line(columns[0], tuple(columns[1:]))


def _fits(line: str, delimiter: str) -> bool:
    """Tell whether a delimiter cuts a line into a path and numbers."""
    path, columns, _ = cut_line(line, delimiter)
    # A path with a separator at the end was cut by another: 'a.mp4, 3' at the
    # space.
    return (len(columns) > 0 and all(map(is_number, columns))
            and path[-1] not in ',;\t ')


def guess_delimiter(lines: Sequence[str], path: str) -> str:
    """Find the delimiter of a list.

    Args:
        lines (Sequence[str]): Stripped lines, none blank.
        path (str): The list, for the error.

    Returns:
        str: One of ``DELIMITERS``.

    Raises:
        ValueError: If the second delimiter fits half as many lines or more,
            or none fits and each occurs in a path.
    """
    scores = Counter({d: sum(_fits(x, d) for x in lines) for d in DELIMITERS})
    (best, most), (second, less) = scores.most_common(2)
    if most > 0 and less * 2 <= most:
        return best
    if most > 0:
        raise ValueError(
            f'cannot tell what separates the columns of {path}: '
            f'{NAMES[best]} in {most} of {len(lines)} lines, {NAMES[second]} '
            f'in {less}. Pass --delimiter.')
    # No line ends in numbers, so the list may be without labels: the delimiter
    # must not cut a path.
    free = [d for d in DELIMITERS if not any(d in line for line in lines)]
    if not free:
        raise ValueError(f'{path} has no line of a path and numbers, such as '
                         f'{lines[0]!r}. Correct it, or pass --delimiter.')
    return free[0]


def guess_form(lines: Sequence[Line], path: str) -> str:
    """Find the form of a list.

    Args:
        lines (Sequence[Line]): From ``cut_line``.
        path (str): The list, for the error.

    Returns:
        str: A key of ``FORMS``.

    Raises:
        ValueError: If the form is not clear.
    """
    labelled = [line.columns for line in lines if line.columns]
    if not labelled:
        return 'unlabelled'
    # A path with the separator in it gives more columns, not all numbers.
    labelled = [c for c in labelled if all(map(is_number, c))] or labelled
    counts = Counter(min(len(columns), 3) for columns in labelled)
    few = len(labelled) / 10  # faulty lines do not make a form
    fractions = sum(
        is_number(c[0]) and not is_number(c[0], int) for c in labelled)
    if fractions > few:
        return 'number-window' if counts[2] > counts[1] else 'number'
    if counts[3] > few:
        return 'multi-class'
    if counts[2] > counts[1]:
        second = [c[1] for c in labelled if len(c) == 2 and is_number(c[1])]
        if not all(is_number(text, int) for text in second):
            return 'window'
        raise ValueError(
            f'cannot tell whether the lines of {path} are PATH LABEL SECONDS '
            'or have two labels. Pass --form window or --form multi-class.')
    return 'multi-class' if counts[2] > few else 'class'


def other_delimiter(line: str, delimiter: str) -> Optional[Line]:
    """Cut a line by another delimiter, if it fits a path and numbers.

    Args:
        line (str): A stripped line.
        delimiter (str): The delimiter of the list.

    Returns:
        Line, optional: The columns, with the fault.
    """
    for other in DELIMITERS:
        if other != delimiter and _fits(line, other):
            found = cut_line(line, other)
            return found._replace(
                fault=f'separated by {NAMES[other]} instead of '
                f'{NAMES.get(delimiter, repr(delimiter))}')
    return None


def label_fault(line: Line, form: str) -> Tuple[str, str]:
    """Find the fault of the columns after the path.

    Args:
        line (Line): From ``cut_line``.
        form (str): A key of ``FORMS``.

    Returns:
        tuple[str, str]: Kind and text of the fault, both '' for none.
    """
    least, most, kinds = FORMS[form]
    count = 1 + len(line.columns)
    if count < least:
        return 'no-label', f'{line.path!r} has no label'
    if count > most:
        needed = f'{least}' if least == most else f'{least} to {most}'
        return 'separator', (
            f'{" ".join([line.path, *line.columns])!r} has {count} columns '
            f'instead of {needed}; does the path hold the separator?')
    for index, text in enumerate(line.columns):
        kind = kinds[min(index, len(kinds) - 1)]
        if not is_number(text, kind):
            name = 'an integer' if kind is int else 'a finite number'
            return 'label', f'{text!r} is not {name}'
    return '', ''


def read_labels(line: Line, form: str) -> List[float]:
    """Read the labels of a line without faults.

    Args:
        line (Line): From ``cut_line``.
        form (str): A key of ``FORMS``.

    Returns:
        list[float]: The labels, without the duration of a window.
    """
    kind = (FORMS[form][2] or (float, ))[0]
    texts = line.columns if form == 'multi-class' else line.columns[:1]
    return [kind(text) for text in texts]
