"""Models in folders of their own: description, saving, loading.

A saved folder holds ``config.json``, ``model.safetensors`` and a model card
``README.md``; neither a config of a training nor its data are needed to load
one.
"""
from .description import FORMAT, TASKS, describe, find_backbone

__all__ = ['FORMAT', 'TASKS', 'describe', 'find_backbone']
