"""Texts of classes: templates, or texts of a user's own."""
from pathlib import Path
from typing import Any, Dict, List, Sequence, Set, Union

from mmaction.datasets.msrvtt_datasets import pre_text

from mmvideomamba.json_file import read_json

PLACE = '{}'
# Templates for all classes, or the texts of each class, or a file of either.
Prompts = Union[str, Sequence[str], Dict[str, Any]]
# A class by its name, or by several wordings, the first being the name.
ClassName = Union[str, Sequence[str]]


def class_prompts(classes: Sequence[ClassName],
                  prompts: Prompts = PLACE) -> List[List[str]]:
    """Write the texts of each class.

    Texts are cleaned as captions are; an underscore of a class's name counts
    as a space.

    Args:
        classes (Sequence[str | Sequence[str]]): The name of each class, or
            several wordings, all put into each of the templates.
        prompts (str | Sequence[str] | dict): Templates with ``{}`` in the
            place of the class; or, by name of the class, a text or a list of
            texts; or the path of a ``.txt`` file with a template a line, or
            of a ``.json`` file with a list of templates or such a dict.
            Defaults to '{}', the bare name.

    Returns:
        list[list[str]]: A text or more for each class; none occurs twice in
        a class.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If there are no classes, equal names, a template without
            ``{}``, a class without a text or with two entries, or a name or
            text is not a str.
    """
    if isinstance(classes, str):
        raise ValueError('recognition by prompts needs a list of names, but '
                         f'got the text {classes!r}')
    wordings = [_wordings(one) for one in classes]
    _check_names(wordings)
    source, found = 'prompts', prompts
    if isinstance(prompts, str) and PLACE not in prompts:
        source, found = f'prompts {prompts}', _read(prompts)
    if isinstance(found, str):
        found = [found]
    if isinstance(found, dict):
        texts = _own_texts([words[0] for words in wordings], found, source)
    else:
        _check_templates(found, source)
        # No str.format: a template may hold other braces.
        texts = [[one.replace(PLACE, word) for word in words for one in found]
                 for words in wordings]
    # A text given twice would count twice in the mean.
    return [list(dict.fromkeys(map(pre_text, of_class))) for of_class in texts]


def _clean(name: Any) -> str:
    return pre_text(str(name).replace('_', ' '))


def _wordings(one: ClassName) -> List[str]:
    """Return the wordings of a class, cleaned."""
    words = [one] if isinstance(one, str) else one
    if not isinstance(words, Sequence) or not all(
            isinstance(word, str) for word in words):
        raise ValueError('the name of a class must be a text, or a list of '
                         f'wordings, but is {one!r}')
    return [_clean(word) for word in words]


def _check_names(wordings: List[List[str]]) -> None:
    """Refuse classes without a name, or with that of another class."""
    if not wordings:
        raise ValueError('recognition by prompts needs names of classes, but '
                         'there are none')
    bare = [i for i, words in enumerate(wordings) if not words or '' in words]
    if bare:
        raise ValueError(f'{len(bare)} of {len(wordings)} classes have an '
                         f'empty name, the first is class {bare[0]}')
    owner: Dict[str, int] = {}
    for i, words in enumerate(wordings):
        for word in words:
            if owner.setdefault(word, i) != i:
                raise ValueError(
                    f'classes {owner[word]} and {i} are both named {word!r} '
                    'once cleaned, so that no prompt tells them apart; give '
                    'each class a name of its own')


def _read(path: str) -> Any:
    """Read a file of templates or of texts."""
    kind = Path(path).suffix
    remedy = (f'give templates with {PLACE} in the place of the class, or a '
              '.txt or .json file of prompts')
    if kind not in ('.txt', '.json'):
        raise ValueError(f'prompts {path!r} have no {PLACE} and are not a '
                         f'file of prompts; {remedy}')
    if kind == '.json':
        return read_json(path, 'prompts', remedy)
    if not Path(path).is_file():
        raise FileNotFoundError(f'prompts {path} does not exist; {remedy}')
    try:
        # utf-8-sig: some editors begin a file with a byte order mark.
        lines = Path(path).read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'prompts {path} is not UTF-8 text: {error}; '
                         f'{remedy}') from error
    return [line.strip() for line in lines if line.strip()]


def _check_templates(found: Any, source: str) -> None:
    """Refuse anything but texts with a place for the class."""
    if not isinstance(found, Sequence) or not found:
        raise ValueError(f'{source} must be templates with {PLACE} in the '
                         'place of the class, or texts by name of the class, '
                         f'but is {found!r}')
    wrong = [
        one for one in found
        if not isinstance(one, str) or one.count(PLACE) != 1
    ]
    if wrong:
        raise ValueError(
            f'{source}: {len(wrong)} of {len(found)} templates do not have '
            f'{PLACE} once, in the place of the class; the first is '
            f'{wrong[0]!r}')


def _own_texts(names: List[str], found: Dict[str, Any],
               source: str) -> List[List[str]]:
    """Take the texts of each class; ``{}`` stands for the name."""
    by_name = {_clean(name): texts for name, texts in found.items()}
    repeated: Set[str] = getattr(found, 'repeated', set())
    if repeated or len(by_name) < len(found):
        names = [_clean(name) for name in found]
        repeated = repeated or {x for x in names if names.count(x) > 1}
        raise ValueError(f'{source} has texts for {min(repeated)!r} twice; '
                         'gather them in a list')
    lacking = [name for name in names if name not in by_name]
    if lacking:
        raise ValueError(
            f'{source} has no texts for {len(lacking)} of {len(names)} '
            f'classes, the first is {lacking[0]!r}; it knows '
            f'{", ".join(map(repr, list(by_name)[:5]))} ...')
    texts = []
    for name in names:
        own = by_name[name]
        own = [own] if isinstance(own, str) else own
        if not isinstance(own, (list, tuple)) or not own or not all(
                isinstance(text, str) and pre_text(text) for text in own):
            raise ValueError(f'{source}: the texts of {name!r} must be a text '
                             f'or a list of texts, none empty, but are '
                             f'{by_name[name]!r}')
        texts.append([text.replace(PLACE, name) for text in own])
    return texts
