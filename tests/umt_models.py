"""Small models of masked distillation: of the golden files, and untrained."""
from typing import Iterable, List

from mmengine.registry import MODELS as ROOT
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement

from mmvideomamba.models import VideoMamba
from mmvideomamba.models.masking import CLIPTeacher
from mmvideomamba.models.selfsup import UMT, UMTDecoder

STUDENT_CFG = dict(
    type='mmvideomamba.VideoMamba',
    arch=dict(embed_dims=16, num_layers=3),
    img_size=32,
    patch_size=8,
    num_frames=4,
    out_type='raw')


def golden_student(cfg: dict, weights: dict, **kwargs) -> VideoMamba:
    """Build a student with the published taps, in evaluation mode."""
    depth, levels = cfg['depth'], cfg['clip_return_layer']
    taps = dict(
        out_indices=range(depth - levels, depth - 1), stream_indices=-2)
    model = VideoMamba(
        arch=dict(embed_dims=cfg['embed_dim'], num_layers=depth),
        img_size=cfg['img_size'],
        patch_size=cfg['patch_size'],
        num_frames=cfg['num_frames'],
        out_type='raw',
        **{
            **taps,
            **kwargs
        })
    model.load_state_dict(weights)
    return model.eval()


def golden_decoder(cfg: dict, weights: dict, **kwargs) -> UMTDecoder:
    """Build a decoder from the published weights of a student."""
    neck = UMTDecoder(cfg['clip_decoder_embed_dim'], cfg['clip_output_dim'],
                      cfg['clip_return_layer'], **kwargs)
    neck.load_state_dict({
        k: v
        for k, v in weights.items() if k.startswith('clip_decoder.')
    })
    return neck


def golden_teacher(cfg: dict, weights: dict, **kwargs) -> CLIPTeacher:
    """Build a teacher from the published weights."""
    model = CLIPTeacher(
        arch=dict(
            width=cfg['width'],
            num_layers=cfg['layers'],
            num_heads=cfg['heads'],
            patch_size=cfg['patch_size'],
            out_channels=cfg['output_dim']),
        img_size=cfg['input_resolution'],
        **kwargs)
    model.load_state_dict(weights)
    return model


def samples(masks: Iterable) -> List[BaseDataElement]:
    """Pack masks as the data pipeline does."""
    found = []
    for mask in masks:
        sample = BaseDataElement()
        sample.set_field(mask, 'mask')
        found.append(sample)
    return found


def tiny_umt(teacher: dict = {}, decoder: dict = {}, **kwargs) -> UMT:
    """Build a small model from a config, with the given changes."""
    init_default_scope('mmaction')
    tower = dict(
        width=16, num_layers=2, num_heads=2, patch_size=8, out_channels=12)
    cfg = dict(
        type='mmvideomamba.UMT',
        backbone=dict(STUDENT_CFG, out_indices=(), stream_indices=-2),
        target_generator=dict(
            type='mmvideomamba.CLIPTeacher',
            arch=tower,
            img_size=32,
            **teacher),
        neck=dict(
            **{
                **dict(
                    type='mmvideomamba.UMTDecoder',
                    in_channels=16,
                    out_channels=12),
                **decoder
            }),
        head=dict(
            type='mmpretrain.MIMHead',
            loss=dict(type='mmvideomamba.AlignmentLoss')),
        data_preprocessor=dict(
            type='ActionDataPreprocessor', format_shape='NCTHW'))
    cfg.update(kwargs)
    return ROOT.build(cfg)
