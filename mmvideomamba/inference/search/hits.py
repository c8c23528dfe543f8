"""Results of a search."""
import csv
import io
import json
from typing import Any, List, NamedTuple, Optional, Sequence, Union


class Hit(NamedTuple):
    """A window found by a query.

    Args:
        video (str): Path of the video.
        start (float): Start of the window, in seconds.
        end (float): End of the window, in seconds.
        score (float): Cosine of query and window.
        probability (float, optional): Of a match of query and window,
            by the judge; None where nothing was judged.
        window (int): Number of the window in the video, from 0 on.
    """
    video: str
    start: float
    end: float
    score: float
    probability: Optional[float]
    window: int


class Hits(List[Hit]):
    """Hits, the best first.

    Args:
        hits (Sequence[Hit]): The hits.
        missing (Sequence[str]): Videos left out of the hits, since the
            file is gone. Defaults to ().
        changed (Sequence[str]): Videos among the hits with a change
            since the indexing. Defaults to ().
        notes (Sequence[str]): Further remarks for a user. Defaults to ().
    """

    def __init__(
        self,
        hits: Sequence[Hit],
        missing: Sequence[str] = (),
        changed: Sequence[str] = (),
        notes: Sequence[str] = ()
    ) -> None:
        super().__init__(hits)
        self.missing, self.changed = list(missing), list(changed)
        self.notes = list(notes)

    def messages(self) -> List[str]:
        """Say where hits are left out or may be wrong.

        Returns:
            list[str]: Sentences for a user.
        """
        found = list(self.notes)
        for paths, text in ((self.missing, 'removed since, and left out'),
                            (self.changed, 'changed since they were indexed, '
                             'so that times may be wrong')):
            if paths:
                names = ', '.join(paths[:3]) + (', ...' if paths[3:] else '')
                found.append(f'{len(paths)} videos are {text}: {names}; '
                             'index their folder again')
        return found


def unknown_note(words: Sequence[str]) -> List[str]:
    """Say which words of a query the model does not know.

    Args:
        words (Sequence[str]): From ``VideoTextPredictor.unknown_words``.

    Returns:
        list[str]: A sentence for a user; none without such words.
    """
    if not words:
        return []
    return [
        f'the vocabulary of the model lacks {", ".join(words)}; to the model, '
        'all unknown words are equal, so take other words'
    ]


def printable(text: str) -> str:
    """Write a name for a terminal, with \\ codes for control characters.

    Args:
        text (str): Say, a path.

    Returns:
        str: The name on a single line.
    """
    # Control characters in the name of a file could write to the terminal.
    return ''.join(sign if sign.isprintable() else sign.
                   encode('unicode_escape', 'surrogatepass').decode()
                   for sign in text)


def clock(seconds: float) -> str:
    """Write a time for people.

    Args:
        seconds (float): From the start of a video.

    Returns:
        str: Such as '1:02:03.5'.
    """
    # Rounded before the division, or 59.96 s would become 0:60.0.
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f'{rest // 10:02d}.{rest % 10}'
    return f'{hours}:{minutes:02d}:{text}' if hours else f'{minutes}:{text}'


def to_text(hits: Sequence[Hit]) -> str:
    """Write hits as a table for people.

    Args:
        hits (Sequence[Hit]): The best first.

    Returns:
        str: A heading, and a line for each hit.
    """
    if not hits:
        return 'no hits\n'
    judged = any(hit.probability is not None for hit in hits)
    rows = [['', 'score', *(['judge'] if judged else []), 'from', 'to']]
    for number, hit in enumerate(hits, 1):
        row = [str(number), f'{hit.score:.3f}']
        if judged:
            row.append('-' if hit.probability is
                       None else f'{hit.probability:.3f}')
        rows.append(row + [clock(hit.start), clock(hit.end)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    names = ['video', *(printable(hit.video) for hit in hits)]
    return ''.join('  '.join([*map(str.rjust, row, widths), name]) + '\n'
                   for row, name in zip(rows, names))


def to_json(hits: Sequence[Hit]) -> str:
    """Write hits as JSON.

    Args:
        hits (Sequence[Hit]): The best first.

    Returns:
        str: A list with an object for each hit.
    """
    rows = [dict(hit._asdict()) for hit in hits]
    return json.dumps(rows, ensure_ascii=False, indent=1) + '\n'


def _cell(value: Any) -> Union[str, Any]:
    """Write a value for a CSV file."""
    if value is None:
        return ''
    return f'{value:.6g}' if isinstance(value, float) else value


def to_csv(hits: Sequence[Hit]) -> str:
    """Write hits as CSV.

    Args:
        hits (Sequence[Hit]): The best first.

    Returns:
        str: A heading, and a line for each hit.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(Hit._fields)
    for hit in hits:
        times = [round(hit.start, 3), round(hit.end, 3)]
        score, probability = _cell(hit.score), _cell(hit.probability)
        writer.writerow([hit.video, *times, score, probability, hit.window])
    return text.getvalue()
