"""The video-text model of the golden file."""
from types import SimpleNamespace
from typing import Any, List, Optional, Type

import torch
from common import golden
from mmengine.structures import BaseDataElement

from mmvideomamba.models import VideoTextModel
from mmvideomamba.models.multimodal import TextBatch

NAME = 'umt_videomamba'


class GoldenTokenizer:
    """Let texts be row numbers of recorded ids.

    Args:
        ids (Tensor): Shape (n, l).
        mask (Tensor): Shape (n, l).
    """
    pad_id, cls_id, mask_id = 0, 2, 4

    def __init__(self, ids: torch.Tensor, mask: torch.Tensor) -> None:
        self.ids, self.mask = ids, mask

    def __call__(self, texts: List[str]) -> TextBatch:
        rows = torch.tensor([int(text) for text in texts])
        return TextBatch(self.ids[rows], self.mask[rows])


def golden_towers(case: dict,
                  with_mlm: bool = True,
                  num_frames: Optional[int] = None) -> dict:
    """Return the configs of both towers."""
    cfg = golden(NAME).config
    vision = cfg['vision']
    return dict(
        vision_encoder=dict(
            type='mmvideomamba.VisionTower',
            pool_type=case['pool_type'],
            keep_temporal=case['keep_temporal'],
            neck=dict(
                type='mmvideomamba.UMTDecoder',
                in_channels=vision['embed_dim'],
                out_channels=cfg['clip']['output_dim'],
                norm='none'),
            backbone=dict(
                type='mmvideomamba.VideoMamba',
                arch=dict(
                    embed_dims=vision['embed_dim'],
                    num_layers=vision['depth']),
                img_size=vision['img_size'],
                patch_size=vision['patch_size'],
                num_frames=num_frames or vision['num_frames'],
                out_type='raw',
                stream_indices=-2)),
        text_encoder=dict(
            type='mmvideomamba.TextTower',
            arch=cfg['bert'],
            fusion_layer=cfg['fusion_layer'],
            encoder_width=vision['embed_dim'],
            with_mlm=with_mlm))


def golden_model(case: dict,
                 kind: Type[VideoTextModel] = VideoTextModel,
                 **kwargs: Any) -> VideoTextModel:
    """Build the model and load the published weights, evaluation mode."""
    data = golden(NAME)
    cfg = data.config
    clip = cfg['clip']
    towers = golden_towers(
        case, **{
            k: kwargs.pop(k)
            for k in ('with_mlm', 'num_frames') if k in kwargs
        })
    kwargs = {
        **dict(
            loss_weights=case['loss_weight'],
            mask_cfg=dict(
                video=dict(source='attention', ratio=cfg['video_mask_ratio']),
                image=dict(source='attention', ratio=cfg['image_mask_ratio'])),
            teacher=dict(
                type='mmvideomamba.CLIPTeacher',
                arch=dict(
                    width=clip['width'],
                    num_layers=clip['layers'],
                    num_heads=clip['heads'],
                    patch_size=clip['patch_size'],
                    out_channels=clip['output_dim']),
                img_size=cfg['vision']['img_size'],
                norm='none')),
        **kwargs
    }
    model = kind(
        **towers,
        tokenizer=dict(folder='none'),
        embed_dims=cfg['embed_dim'],
        **kwargs)
    model.load_state_dict(data.under('sd/'), strict=True)
    model.tokenizer = GoldenTokenizer(data['in/input_ids'],
                                      data['in/attention_mask'])
    return model.eval()


def golden_samples() -> List[BaseDataElement]:
    """Return the pairs of the golden batch."""
    samples = []
    for i, pair_id in enumerate(golden(NAME)['in/idx'].tolist()):
        sample = BaseDataElement(text=str(i), pair_id=pair_id)
        samples.append(sample)
    return samples


def golden_inputs(kind: str) -> torch.Tensor:
    """Return clips (b, 3, t, h, w)."""
    return golden(NAME)[f'in/{kind}'].transpose(1, 2)


def draws(case: str) -> SimpleNamespace:
    """Return stand-ins of torch's generators for the recorded draws."""
    data = golden(NAME)
    queue = [
        data[f'{case}/draw/{name}']
        for name in ('vision_negative_for_text', 'text_negative_for_vision')
        if f'{case}/draw/{name}' in data
    ]
    if f'{case}/draw/importance' in data:
        queue.insert(0, data[f'{case}/draw/importance'])
    coins = [
        data[f'{case}/draw/mlm_{name}']
        for name in ('masked_candidates', 'replace_draw', 'random_draw')
        if f'{case}/draw/mlm_{name}' in data
    ]
    seen: list = []

    def draw(weights, count):
        seen.append(weights)
        found = queue.pop(0)
        return found if found.dim() == 2 else found[:, None]

    return SimpleNamespace(
        seen=seen,
        draw=draw,
        bernoulli=lambda share: coins.pop(0).float(),
        randint=lambda high, size: data[f'{case}/draw/mlm_random_words'])
