"""Models in folders of their own: description, saving, loading.

A saved folder holds ``config.json``, ``model.safetensors`` and a model card
``README.md``; neither a config of a training nor its data are needed to load
one.
"""
from .description import FORMAT, TASKS, describe, find_backbone
from .load import load
from .save import save_pretrained

__all__ = [
    'FORMAT', 'TASKS', 'describe', 'find_backbone', 'load', 'save_pretrained'
]
