"""Markdown pages in lines of 100 columns, as `make lint` asks for."""
import re
from typing import List

WIDTH = 100

# A code span and the target of a link stay on one line. A token that would
# begin a list, a heading or a quotation at the start of a line stays with the
# word before.
_WORD = re.compile(r'(?:`[^`]*`|\]\([^)]*\)|\S)+'
                   r'(?:\s+(?:[-+*>]|#+|1[.)]|=+)(?=\s|$))*')
_PREFIX = re.compile(r'(?:\s*(?:[-*+]|\d+[.)])\s+|\s*>\s?|\s+)*')
_ITEM = re.compile(r'\s*(?:[-*+]|\d+[.)])\s')
# Tables, headings, HTML, definitions of links, rules.
_ALONE = re.compile(r'\s*(?:\||#|<|\[\^?[^]]*\]:|---|===|:::|\$\$)')
_FENCE = re.compile(r'\s*(?:(?:[-*+]|\d+[.)])\s+)*(`{3,}|~{3,})')


def wrapped(page: str) -> str:
    """Break the paragraphs and list items of a page at 100 columns.

    Tables, headings, code, HTML and targets of links keep their lines.

    Args:
        page (str): Text in Markdown.

    Returns:
        str: The page with the same words in lines of at most 100 columns,
        apart from words that are longer.
    """
    lines: List[str] = []
    paragraph: List[str] = []
    fence = ''
    in_list = False
    for line in page.split('\n'):
        opening = _FENCE.match(line)
        if fence:
            kept = True
            fence = '' if line.strip() == fence else fence
        else:
            is_code = not (paragraph or in_list) and line.startswith(' ' * 4)
            kept = bool(opening or is_code or not line.strip()
                        or _ALONE.match(line))
            fence = opening.group(1) if opening else ''
        if kept or _begins(line, paragraph):
            lines += _fill(paragraph)
            paragraph = []
        if kept:
            lines.append(line)
            continue
        if not paragraph:
            in_list = bool(_ITEM.match(line)) or in_list and line[0] == ' '
        paragraph.append(line)
    return '\n'.join(lines + _fill(paragraph))


def _begins(line: str, paragraph: List[str]) -> bool:
    """Tell whether a line begins a list item, a quotation or after a break."""
    quotes = line.lstrip().startswith('>')
    is_quotation = bool(paragraph) and paragraph[0].lstrip().startswith('>')
    return bool(_ITEM.match(line)) or _breaks_hard(
        paragraph) or quotes and not is_quotation


def _breaks_hard(paragraph: List[str]) -> bool:
    """Tell whether the last line ends with two spaces, a line break."""
    return bool(paragraph) and paragraph[-1].endswith('  ')


def _fill(paragraph: List[str]) -> List[str]:
    """Break one paragraph, whose first line may open a list item."""
    if not paragraph:
        return []
    found = _PREFIX.match(paragraph[0])
    prefix = found.group() if found else ''
    # Further lines are indented as far as the text of the first.
    rest = re.sub(r'[-*+]|\d+[.)]', lambda mark: ' ' * len(mark.group()),
                  prefix)
    further = [
        re.sub(r'^\s*>\s?', '', line) if '>' in prefix else line
        for line in paragraph[1:]
    ]
    text = ' '.join([paragraph[0][len(prefix):], *further])
    lines: List[str] = []
    for word in _WORD.findall(text):
        if lines and len(lines[-1]) + 1 + len(word) <= WIDTH:
            lines[-1] += ' ' + word
        else:
            lines.append((rest if lines else prefix) + word)
    if _breaks_hard(paragraph):
        lines[-1] += '  '
    return lines
