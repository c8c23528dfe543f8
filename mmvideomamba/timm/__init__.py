"""VideoMamba for timm: ``import mmvideomamba.timm`` registers the models.

``timm.create_model('videomamba_tiny_patch16_224')`` gives our backbone and a
linear head under timm's protocol for image models. Parameters are called
``backbone.*`` and ``head.*``; files with published names and files of
mmpretrain or mmaction2 are renamed while they load.
"""
from mmvideomamba.extras import require

require('timm', 'timm', 'mmvideomamba.timm')

from .image_model import TimmVideoMamba  # noqa: E402
from .registered import default_cfgs  # noqa: E402

__all__ = ['TimmVideoMamba', 'default_cfgs']
