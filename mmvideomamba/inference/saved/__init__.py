"""Models in folders: description, saving, loading.

A saved folder holds ``config.json``, ``model.safetensors`` and a model card
``README.md``; a model loads without the config and the data of the training.
"""
from .description import FORMAT, TASKS, describe, find_backbone
from .load import load
from .save import save_pretrained

__all__ = [
    'FORMAT', 'TASKS', 'describe', 'find_backbone', 'load', 'save_pretrained'
]
