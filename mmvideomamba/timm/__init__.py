"""VideoMamba for timm: ``import mmvideomamba.timm`` registers the models.

``timm.create_model('videomamba_tiny_patch16_224')`` gives our backbone and a
linear head under timm's protocol for image models. Parameters are called
``backbone.*`` and ``head.*``; files with published names and files of
mmpretrain or mmaction2 are renamed while they load.
"""
try:
    import timm  # noqa: F401
except ImportError as error:
    raise ImportError('mmvideomamba.timm needs the package timm: pip install '
                      "'mmvideomamba[timm]'") from error

from .image_model import TimmVideoMamba
from .registered import default_cfgs

__all__ = ['TimmVideoMamba', 'default_cfgs']
