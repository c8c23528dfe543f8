"""Checkpoints of models of videos and texts, of a moment."""
import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from host_tools import ROOT
from mmengine.config import Config
from tiny_recipes import runner_file

RECIPE, = (ROOT /
           'configs/retrieval/quickstart').glob('*_quickstart-captions.py')
WORDS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'square', 'disc',
         'moves', 'left', 'right', 'up', 'down', 'over', 'green')
ANSWERS = ('left', 'a square', 'right', 'up', 'green disc')
KINDS = dict(
    retrieval='VideoTextModel', choice='VideoTextMC', questions='VideoTextQA')
# Arguments of the retrieval recipe that a model for questions lacks.
RETRIEVAL_ALONE = ('embed_dims', 'loss_weights', 'temperature', 'gather_grad',
                   'mlm_probability', 'vtm_negatives')


class TextFile(NamedTuple):
    """A checkpoint, with model and config."""
    file: Path
    model: Any
    cfg: Config


def text_model_file(kind: str, folder: Path) -> TextFile:
    """Write a checkpoint of a random model.

    Args:
        kind (str): Of ``KINDS``.
        folder (Path): Empty folder for the files.

    Returns:
        TextFile: The checkpoint.
    """
    cfg: Any = Config.fromfile(RECIPE)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'vocab.txt').write_text('\n'.join(WORDS) + '\n')
    cfg.model.tokenizer.update(folder=str(folder), max_length=16)
    cfg.model.embed_dims = 64
    cfg.model.type = f'mmvideomamba.{KINDS[kind]}'
    cfg.model.vision_encoder.backbone.update(
        arch=dict(embed_dims=16, num_layers=1),
        img_size=32,
        patch_size=16,
        num_frames=4)
    cfg.model.text_encoder.encoder_width = 16
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        for step in loader.dataset.pipeline:
            if step['type'] == 'Resize':
                step['scale'] = (32, 32)
            if step['type'].endswith('Sample'):
                step['clip_len'] = 4
    if kind == 'questions':
        for key in RETRIEVAL_ALONE:
            cfg.model.pop(key)
        answers = folder / 'all_answers.json'
        answers.write_text(json.dumps(ANSWERS))
        cfg.model.answer_file = str(answers)
    file = folder / f'{kind}.pth'
    torch.manual_seed(0)
    return TextFile(file, runner_file(cfg, file, epoch=1), cfg)
