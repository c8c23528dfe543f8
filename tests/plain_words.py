"""Measure how often docstrings and comments point instead of naming.

``make lint`` runs ``python tests/plain_words.py FOLDER ...``. Each folder, and
each folder inside, has at most 2 pointing words per 100 words; tests have at
most 3. CONTRIBUTING.md says more.
"""
import ast
import io
import re
import sys
import tokenize
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

POINTING = frozenset(('that', 'those', 'what', 'which', 'it', 'they', 'these',
                      'one', 'such', 'its', 'their'))
LIMIT, LIMIT_OF_TESTS = 2., 3.
FEW = 100  # words, too few for a share
WORST = 5  # lines shown of a folder above the limit
HEADING = re.compile(r'\s*(Args|Attributes|Raises|Returns|Yields):\s*')
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Line(NamedTuple):
    """A line of a docstring or a comment.

    Args:
        path (Path): File of the line.
        number (int): Number of the line, from 1.
        text (str): The line.
        words (int): Number of words.
        pointing (int): Number of pointing words.
    """
    path: Path
    number: int
    text: str
    words: int
    pointing: int


def prose_of(source: str) -> Iterator[Tuple[int, str]]:
    """Yield number and text of each line of docstrings and comments.

    Args:
        source (str): Python code.

    Yields:
        tuple[int, str]: Number of the line from 1, and the text.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            string = node.body[0]
            assert isinstance(string, ast.Expr)
            assert isinstance(string.value, ast.Constant)
            lines = str(string.value.value).splitlines()
            for number, text in enumerate(lines, string.lineno):
                if not HEADING.fullmatch(text):
                    yield number, text
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip('#')


def read_lines(folder: Path) -> List[Line]:
    """Read the prose of the Python files of a folder and all inside."""
    lines = []
    for path in sorted(folder.rglob('*.py')):
        if any(part.startswith(('.', '_build')) for part in path.parts):
            continue
        for number, text in prose_of(path.read_text('utf-8')):
            words = re.findall("[a-z']+", text.lower())
            pointing = sum(word in POINTING for word in words)
            lines.append(
                Line(path, number, text.strip(), len(words), pointing))
    return lines


def share(lines: Sequence[Line]) -> float:
    """Return the pointing words per 100 words, 0 without words."""
    words = sum(line.words for line in lines)
    return 100 * sum(line.pointing for line in lines) / max(1, words)


def faults_of(folder: Path, lines: Sequence[Line]) -> Iterator[str]:
    """Yield a message for each folder above the limit.

    Args:
        folder (Path): Checked with all folders inside.
        lines (Sequence[Line]): All lines of the folder.

    Yields:
        str: Folder, share, limit, and the worst lines.
    """
    limit = LIMIT_OF_TESTS if 'tests' in folder.parts else LIMIT
    folders: Dict[Path, List[Line]] = {}
    for line in lines:
        for parent in line.path.parents:
            if parent == folder or folder in parent.parents:
                folders.setdefault(parent, []).append(line)
    for inside, part in sorted(folders.items()):
        words = sum(line.words for line in part)
        if words >= FEW and share(part) > limit:
            worst = sorted(part, key=lambda line: -line.pointing)[:WORST]
            yield '\n  '.join([
                f'{inside} has {share(part):.1f} pointing words per 100 '
                f'({words} words), but at most {limit:.1f} are allowed; name '
                'the subject, for instance in',
                *(f'{x.path}:{x.number}: {x.text}' for x in worst)
            ])


def main(folders: Sequence[str]) -> int:
    """Print the share of each folder, and the folders above the limit.

    Args:
        folders (Sequence[str]): Paths of folders.

    Returns:
        int: 1 if a folder is above the limit, else 0.
    """
    failed = 0
    for name in folders:
        lines = read_lines(Path(name))
        print(f'{name}: {share(lines):.1f} pointing words per 100 '
              f'({sum(line.words for line in lines)} words)')
        for fault in faults_of(Path(name), lines):
            print(fault, file=sys.stderr)
            failed = 1
    return failed


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
