"""Configs without training: model, test pipeline, files."""
import copy
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple

from mmengine.config import Config

from mmvideomamba.checkpoints import TEXTS, from_json, to_json
from mmvideomamba.json_file import read_json
from mmvideomamba.models import TextTower
from ..recognize import test_data_set

# Types for prediction, by types for training.
_AS = {
    'DistilledClassifier': 'mmpretrain.ImageClassifier',
    'DistilledRecognizer3D': 'mmaction.Recognizer3D'
}
# Weights for the training alone.
TRAINING_WEIGHTS = ('distill_head.', 'clip_teacher.', 'alignment_loss.',
                    'vision_encoder.neck.')
_TRAINING_KEYS = ('init_cfg', 'pretrained')
_TOKENIZER = ('vocab.txt', 'tokenizer_config.json')
WINDOWS = ('window', 'stride', 'num_windows')


def type_name(node: Any) -> str:
    """Return the type of a config without scope or module.

    Args:
        node (Any): A dict with a ``type``, or anything.

    Returns:
        str: '' without a type.
    """
    kind = node.get('type', '') if isinstance(node, Mapping) else ''
    kind = kind.__name__ if isinstance(kind, type) else str(kind)
    return kind.rpartition('.')[2]


def _without(node: Any, keys: Tuple[str, ...]) -> Any:
    """Copy a config without certain keys, at any depth."""
    if isinstance(node, Mapping):
        return {k: _without(v, keys) for k, v in node.items() if k not in keys}
    if isinstance(node, (list, tuple)):
        return type(node)(_without(item, keys) for item in node)
    return copy.deepcopy(node)


def _plain_text(model: Dict[str, Any]) -> None:
    """Take training and files of weights out of a video-text model."""
    tower, vision = model['text_encoder'], model['vision_encoder']
    tower.pop('weights', None)
    arch = tower.get('arch', 'base')
    if isinstance(arch, str) and arch not in TextTower.arch_zoo:
        tower['arch'] = dict(
            read_json(
                Path(arch) / 'config.json', 'arch of TextTower',
                'give the folder of a BERT'))
    # The neck, a decoder of the pretraining, alone reads further outputs.
    if vision.pop('neck', None):
        for key in ('out_indices', 'stream_indices'):
            vision['backbone'].pop(key, None)
    model.pop('teacher', None)
    if 'uta' in (model.get('loss_weights') or {}):
        model['loss_weights'].pop('uta')


def plain_model(cfg: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the config of a model for prediction.

    Args:
        cfg (Mapping): Config of a training or test.

    Returns:
        dict: ``model`` without teachers, losses of teachers, augmentation and
        files of weights; in plain types.

    Raises:
        ValueError: If the config has no model, or adapters.
    """
    if not isinstance(cfg.get('model'), Mapping):
        raise ValueError('the config has no model')
    model = _without(cfg['model'], _TRAINING_KEYS)
    if cfg.get('data_preprocessor'):
        model.setdefault('data_preprocessor',
                         _without(cfg['data_preprocessor'], ()))
    for key in ('train_cfg', 'distill_head', 'mask_cfg', 'alignment_loss'):
        model.pop(key, None)
    kind = type_name(model)
    if kind == 'UMT':
        raise ValueError(
            'UMT serves for a pretraining alone; take its backbone: '
            'mmvideomamba.VideoMamba.from_pretrained(FILE)')
    model['type'] = _AS.get(kind, model['type'])
    for key in ('blending', 'batch_augments'):
        if isinstance(model.get('data_preprocessor'), dict):
            model['data_preprocessor'].pop(key, None)
    if type_name(model.get('backbone')) == 'LoRAModel':
        raise ValueError(
            'the backbone has adapters (LoRAModel); merge them into the '
            'weights first, see docs/adaptation.md, and give the config '
            'without them')
    if 'text_encoder' in model:
        _plain_text(model)
    return model


def model_files(model: Mapping[str, Any]) -> Dict[str, Path]:
    """List the files of a model.

    Args:
        model (Mapping): Of ``plain_model``.

    Returns:
        dict[str, Path]: The files by the name in a saved folder.

    Raises:
        ValueError: If there is no vocabulary.
    """
    found = {}
    if 'tokenizer' in model:
        folder = Path(model['tokenizer']['folder'])
        if not (folder / 'vocab.txt').is_file():
            raise ValueError(f'the tokenizer folder {folder} has no '
                             'vocab.txt; put the vocabulary there')
        found = {
            f'{TEXTS}/{name}': folder / name
            for name in _TOKENIZER if (folder / name).is_file()
        }
    if model.get('answer_file'):
        found['answers.json'] = Path(model['answer_file'])
    prompts = model.get('prompts')
    if isinstance(prompts, str) and '{}' not in prompts:
        found[f'prompts{Path(prompts).suffix}'] = Path(prompts)
    for name, path in found.items():
        if not path.is_file():
            raise ValueError(f'the model reads {path}, which does not exist; '
                             f'the saved model needs it as {name}')
    return found


def place_files(model: Dict[str, Any], folder: str) -> Dict[str, Any]:
    """Name the files of a model in a saved folder.

    Args:
        model (dict): Of ``plain_model``; changed.
        folder (str): The folder, '' for names without.

    Returns:
        dict: The same.
    """
    start = f'{folder}/' if folder else ''
    if 'tokenizer' in model:
        model['tokenizer']['folder'] = start + TEXTS
    if model.get('answer_file'):
        model['answer_file'] = f'{start}answers.json'
    prompts = model.get('prompts')
    if isinstance(prompts, str) and '{}' not in prompts:
        model['prompts'] = f'{start}prompts{Path(prompts).suffix}'
    return model


def config_values(cfg: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the part of a config for ``config.json``.

    Args:
        cfg (Mapping): Config of a training or test.

    Returns:
        dict: ``model``, ``default_scope``, ``test_pipeline`` (list, or None)
        and ``test_data_set`` (dict: the windows of long videos), as values
        for JSON; files by the names in the saved folder.

    Raises:
        ValueError: See ``plain_model``; also if a value cannot be stored.
    """
    data_set = test_data_set(cfg)
    steps = data_set.get('pipeline') or cfg.get('test_pipeline')
    model = place_files(plain_model(cfg), '')
    windows = {k: data_set[k] for k in WINDOWS if k in data_set}
    return dict(
        default_scope=cfg.get('default_scope') or 'mmaction',
        model=to_json(model, 'model'),
        test_pipeline=to_json(steps, 'test_pipeline') if steps else None,
        test_data_set=to_json(windows, 'test_dataloader.dataset'))


def to_config(values: Mapping[str, Any], model: Mapping[str, Any]) -> Config:
    """Return a config for prediction.

    Args:
        values (Mapping): Of ``config_values``.
        model (Mapping): The model, with paths of files.

    Returns:
        Config: With ``model``, ``default_scope``, and with a pipeline
        ``test_pipeline`` and ``test_dataloader``.
    """
    found = dict(model=model, default_scope=values.get('default_scope'))
    steps = from_json(values.get('test_pipeline'))
    if steps:
        data_set = from_json(values.get('test_data_set') or {})
        found.update(
            test_pipeline=steps,
            test_dataloader=dict(
                dataset=dict(pipeline=copy.deepcopy(steps), **data_set)))
    return Config(found)
