"""The model card of a saved model, from ``config.json``."""
import json
import re
from typing import Any, List, Mapping

_LISTED = 20  # names of classes in the card
_USE = """```python
import mmvideomamba

model = mmvideomamba.load('FOLDER')
result = model.test_step(model.pipeline('video.mp4'))
```"""
_USE_BACKBONE = """```python
import mmvideomamba

backbone = mmvideomamba.VideoMamba.from_pretrained('FOLDER')
```"""
# Tags of pipelines on the hub, by our tasks.
_TAGS = {
    'video-regression': 'video-classification',
    'video-text-retrieval': 'feature-extraction',
    'video-multiple-choice': 'visual-question-answering',
    'video-question-answering': 'visual-question-answering',
    'prompt-classification': 'video-classification',
    'feature-extraction': 'feature-extraction'
}


def _header(config: Mapping[str, Any]) -> List[str]:
    """Return the lines of YAML for the hub."""
    licence, task = str(config['licence']), str(config['task'])
    # The Hub takes short identifiers of licences; any other text goes into
    # license_name.
    known = re.fullmatch(r'[a-z0-9.+-]+', licence)
    lines = [f'license: {licence if known else "other"}']
    if not known:
        lines.append(f'license_name: {json.dumps(licence)}')
    lines += [
        'library_name: mmvideomamba', f'pipeline_tag: {_TAGS.get(task, task)}',
        'tags:', '- videomamba', '- mmvideomamba', f'- {task}'
    ]
    data = config['results'].get('dataset')
    if data:
        lines += ['datasets:', f'- {json.dumps(data)}']
    return ['---', *lines, '---']


def _results(results: Mapping[str, Any]) -> List[str]:
    """Say where the weights come from."""
    kind = results.get('source')
    accuracy = [
        f'- {name}: {value:g}'
        for name, value in sorted((results.get('accuracy') or {}).items())
    ]
    rest = ', '.join(f'{k} {v}' for k, v in results.items()
                     if k not in ('source', 'accuracy'))
    if kind == 'published':
        lines = ['The weights are a published file'
                 f'{f" ({rest})" if rest else ""}. Results as published, not '
                 'measured here:']  # yapf: disable
    elif kind == 'run':
        lines = [f'The weights are of a run of our training: {rest}.']
        if accuracy:
            lines.append('On its validation data:')
    else:
        lines = ['Unknown: the file does not say where the weights come from.']
    if kind == 'published' and not accuracy:
        lines[0] = lines[0].rsplit('. ', 1)[0] + ', without published results.'
    return [*lines, '', *accuracy] if accuracy else lines


def _classes(classes: Any) -> List[str]:
    """List the first classes."""
    if not classes:
        return ['The names of the classes are not known.']
    lines = [f'{i}. {name}' for i, name in enumerate(classes[:_LISTED])]
    if len(classes) > _LISTED:
        lines.append(f'\n{len(classes)} classes in all, the others in '
                     '`config.json`.')
    return lines


def model_card(config: Mapping[str, Any]) -> str:
    """Write the model card of a saved model.

    Args:
        config (Mapping): Content of ``config.json``: the description and
            ``model``.

    Returns:
        str: Markdown with the header of the hub.
    """
    task, given = str(config['task']), config['input']
    bare = task == 'feature-extraction'
    parts = [
        '\n'.join(_header(config)), f'# VideoMamba, {task}',
        'A VideoMamba (arXiv:2403.06977), saved by mmvideomamba '
        f'{config["library_version"]}.', '## Use',
        _USE_BACKBONE if bare else _USE, '## Input',
        f'{given["frames"]} frames of {given["height"]} x {given["width"]} '
        f'pixels, {given["channels"]}, mean {given["mean"]}, standard '
        f'deviation {given["std"]} of values from 0 to 255.'
    ]
    for title, key in (('Sampling', 'sampling'), ('Average of views',
                                                  'average')):
        if config.get(key):
            text = json.dumps(config[key], indent=2)
            parts += [f'## {title}', f'```json\n{text}\n```']
    if task in ('video-classification', 'image-classification',
                'prompt-classification'):
        parts += ['## Classes', '\n'.join(_classes(config.get('classes')))]
    model = json.dumps(config['model'], indent=2)
    parts += [
        '## Results', '\n'.join(_results(config['results'])), '## Licence',
        str(config['licence']), '## Configuration', f'```json\n{model}\n```'
    ]
    return '\n\n'.join(parts) + '\n'
