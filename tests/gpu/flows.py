"""Each flow of a training at a tiny size: model, data in memory, draws."""
import os
from typing import Any, Callable, Dict, List, NamedTuple

import mmpretrain.models  # noqa: F401  registers the classifiers
import pytest
import torch
from common import small_backbone
from host_tools import HERE
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.structures import DataSample
from replaced_draws import replaced_draws
from torch import Tensor
from torch.utils.data import Dataset
from umt_models import STUDENT_CFG, tiny_umt

from mmvideomamba.models.multimodal import TextBatch

# FLOWS_DEVICE=cpu runs the tests without a GPU, to find mistakes in them.
DEVICE = torch.device(os.environ.get('FLOWS_DEVICE', 'cuda'))
MARKS = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        DEVICE.type == 'cuda' and not torch.cuda.is_available(),
        reason='no CUDA device is available')
]
if DEVICE.type == 'cpu':
    # mmengine's wrapper works on a CPU, but refuses to.
    amp_optimizer_wrapper.is_cuda_available = lambda: True
BATCH, FRAMES, SIDE = 4, 4, 32
# Remainder of gradients cancelling out, such as of the keys' biases.
NOISE = 5e-6
ANSWERS = [f'word{i}' for i in range(5)]


class WordTokenizer:
    """Ids of words without a vocabulary, as ``TextTokenizer`` gives ids.

    Args:
        max_length (int): Tokens of a text.
    """
    pad_id, cls_id, mask_id = 0, 2, 4

    def __init__(self, max_length: int = 8) -> None:
        self.max_length = max_length

    def __call__(self, texts: List[str]) -> TextBatch:
        ids = torch.zeros(len(texts), self.max_length, dtype=torch.long)
        for row, text in zip(ids, texts):
            words = [5 + sum(word.encode()) % 50 for word in text.split()]
            tokens = [2, *words[:self.max_length - 2], 3]
            row[:len(tokens)] = torch.tensor(tokens)
        return TextBatch(ids, (ids != 0).long())


def text_of(index: int) -> str:
    """Return the caption or question of a sample, of 4 to 6 words."""
    return ' '.join(['a', 'clip', 'of', f'word{index}'] + ['now'] *
                    (index % 3))


def video_text(kind: str = 'VideoTextModel',
               masked: bool = False,
               drop: float = 0.,
               **changes: Any) -> BaseModel:
    """Build a model of the tiny multimodal config, without a vocabulary.

    Args:
        kind (str): The class. Defaults to 'VideoTextModel'.
        masked (bool): Whether teacher and alignment stay. Defaults to False.
        drop (float): Share of dropped activations and paths. Defaults to 0.
        **changes: Changed arguments of the class.
    """
    cfg = Config.fromfile(HERE / 'tiny_multimodal.py').model
    cfg.type = f'mmvideomamba.{kind}'
    cfg.vision_encoder.backbone.drop_path_rate = drop
    # Large weights, so that the scores of pairs differ.
    cfg.text_encoder.arch.update(
        initializer_range=0.3,
        hidden_dropout_prob=drop,
        attention_probs_dropout_prob=drop)
    if not masked:
        for key in ('teacher', 'mask_cfg', 'loss_weights'):
            cfg.pop(key)
        del cfg.vision_encoder['neck']
    if kind == 'VideoTextQA':
        cfg.pop('embed_dims')
    cfg.update(changes)
    model = build(cfg, 'mmaction')
    model.tokenizer = WordTokenizer()
    if kind == 'VideoTextQA':
        model.answer_tokenizer = WordTokenizer(5)
        model._answers = ANSWERS
    return model


def build(cfg: dict, scope: str) -> BaseModel:
    """Build a model of a host's scope."""
    with DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(cfg)


def masked_distillation(drop: float = 0., **changes: Any) -> BaseModel:
    """Build a student and a CLIP teacher."""
    backbone = dict(STUDENT_CFG, drop_path_rate=drop, stream_indices=-2)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return tiny_umt(
            backbone=dict(backbone, out_indices=()),
            mask_ratio=0.75,
            data_preprocessor=dict(
                type='ActionDataPreprocessor',
                mean=[128.] * 3,
                std=[64.] * 3,
                format_shape='NCTHW'),
            **changes)


def self_distillation(images: bool, drop: float = 0.) -> BaseModel:
    """Build a student of width 24 and a teacher of width 16."""
    sizes = dict(
        img_size=SIDE, patch_size=8, num_frames=1 if images else FRAMES)
    cfg = dict(
        type='mmvideomamba.DistilledClassifier',
        backbone=dict(
            type='mmvideomamba.VideoMamba',
            arch=dict(embed_dims=24, num_layers=2),
            drop_path_rate=drop,
            **sizes),
        distill_head=dict(
            type='mmvideomamba.TokenDistillHead',
            in_channels=24,
            teacher=small_backbone(**sizes)))
    head = dict(num_classes=3, in_channels=24)
    statistics = dict(mean=[128.] * 3, std=[64.] * 3)
    if images:
        cfg.update(
            head=dict(type='LinearClsHead', **head),
            data_preprocessor=dict(num_classes=3, **statistics))
        return build(cfg, 'mmpretrain')
    cfg.update(
        type='mmvideomamba.DistilledRecognizer3D',
        cls_head=dict(
            type='mmvideomamba.VideoMambaHead', average_clips='prob', **head),
        data_preprocessor=dict(
            type='ActionDataPreprocessor', format_shape='NCTHW', **statistics))
    return build(cfg, 'mmaction')


class Flow(NamedTuple):
    """A training: the model, and the samples of the data.

    Args:
        build (Callable): Takes ``drop``, the share of dropped paths.
        frames (int): Frames of a clip; 0 for images of an image model.
        unused (bool): Whether the recipes let parameters go without a
            gradient in a step on several processes.
    """
    build: Callable[..., BaseModel]
    frames: int = FRAMES
    unused: bool = True


FLOWS: Dict[str, Flow] = dict(
    masked_distillation=Flow(masked_distillation, unused=False),
    masked_pretraining=Flow(lambda **kw: video_text(masked=True, **kw)),
    masked_images=Flow(lambda **kw: video_text(masked=True, **kw), frames=1),
    unmasked_pretraining=Flow(lambda **kw: video_text(
        loss_weights=dict(vtc=1., vtm=1., mlm=1.), **kw)),
    retrieval=Flow(video_text),
    question_answering=Flow(lambda **kw: video_text('VideoTextQA', **kw)),
    multiple_choice=Flow(lambda **kw: video_text('VideoTextMC', **kw)),
    distilled_images=Flow(
        lambda **kw: self_distillation(True, **kw), frames=0, unused=False),
    distilled_videos=Flow(
        lambda **kw: self_distillation(False, **kw), unused=False))


class Clips(Dataset):
    """Noise with labels, captions, questions and options.

    Args:
        frames (int): See ``Flow``.
        count (int): Samples. Defaults to 8.
    """
    metainfo: dict = dict()

    def __init__(self, frames: int, count: int = 8) -> None:
        self.frames, self.count = frames, count
        # Attributes of a retrieval data set; texts 0 and 1 belong to video 0.
        self.texts = [text_of(i) for i in range(count + 1)]
        self.videos_of_text = [[max(0, i - 1)] for i in range(count + 1)]
        self.texts_of_video = [[0, 1], *([i + 1] for i in range(1, count))]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Dict[str, Any]:
        generator = torch.Generator().manual_seed(index)
        shape = (1, 3, self.frames, SIDE, SIDE) if self.frames else (3, SIDE,
                                                                     SIDE)
        pixels = torch.randint(256, shape, generator=generator)
        if not self.frames:
            sample = DataSample().set_gt_label(index % 3)
            return dict(inputs=pixels.byte(), data_samples=sample)
        # Soft, as mixed videos have them.
        label = torch.eye(3)[index % 3]
        sample = ActionDataSample().set_gt_label(0.9 * label + 0.1 / 3)
        sample.set_metainfo(
            dict(
                text=text_of(index),
                question=text_of(index),
                gt_answer=ANSWERS[index % 2:index % 2 + 1 + index % 3],
                gt_answer_weight=[0.5] * (1 + index % 3),
                caption_options=[text_of(index + k) for k in range(5)]))
        sample.set_field(index, 'pair_id')
        sample.set_field(index, 'video_index')
        return dict(inputs=pixels.byte(), data_samples=sample)


def batch_of(flow: Flow, indices: Any = range(BATCH)) -> Dict[str, list]:
    """Return a batch as a loader collates it."""
    clips = Clips(flow.frames)
    samples = [clips[i] for i in indices]
    return {k: [s[k] for s in samples] for k in ('inputs', 'data_samples')}


class Draws:
    """Let several runs of a step draw the same masks and wrong partners.

    The first run draws on the CPU; later runs get the same numbers.
    """

    def __init__(self) -> None:
        self.kept: List[Tensor] = []

    def run(self, step: Callable[[], Any]) -> Any:
        """Run a step from the start of all draws."""
        torch.manual_seed(1)
        with replaced_draws(self._draw(0)):
            return step()

    def _draw(self, place: int) -> Callable[..., Tensor]:

        def draw(weights: Tensor, count: int) -> Tensor:
            nonlocal place
            if place == len(self.kept):
                own = torch.Generator().manual_seed(place)
                self.kept.append(
                    torch.multinomial(
                        weights.float().cpu(), count, generator=own))
            place += 1
            return self.kept[place - 1].to(weights.device)

        return draw


def likeliest(weights: Tensor, count: int) -> Tensor:
    """Stand in for ``draw_distinct``: take the greatest weights."""
    return weights.topk(count).indices


def losses_of(model: BaseModel, batch: Dict[str, list]) -> Dict[str, Tensor]:
    """Return the losses of a training step by name, and the sum."""
    data = model.data_preprocessor(batch, True)
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    return {**losses, 'total': total}


def gradients_of(model: BaseModel) -> Dict[str, Tensor]:
    """Return copies of the gradients by name."""
    return {
        name: p.grad.detach().clone()
        for name, p in model.named_parameters() if p.grad is not None
    }
