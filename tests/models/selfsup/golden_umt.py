"""Models of the golden files, with their weights, for several tests."""
from typing import Iterable, List

from mmengine.structures import BaseDataElement

from mmvideomamba.models import VideoMamba
from mmvideomamba.models.selfsup import CLIPTeacher, UMTDecoder


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
