"""Effective values of the video-text recipes against the published ones."""
import re
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mmvideomamba.datasets import RetrievalDataset
from mmvideomamba.evaluation import VideoTextRecall
from mmvideomamba.models import (CLIPTeacher, TextTower, VideoTextMC,
                                 VideoTextModel)
from mmvideomamba.models.masking import visible_per_frame
from mmvideomamba.models.multimodal.bert_config import BertConfig
from mmvideomamba.models.multimodal.retrieval import RetrievalScorer

CONFIGS = Path(__file__).parents[2] / 'configs'
IMAGES_17M = ['cc3m', 'coco', 'vg', 'sbu', 'cc12m']
# Corpus: processes, videos, images.
CORPORA = {
    '5m': (16, ['webvid2m'], ['cc3m']),
    '17m': (32, ['webvid2m'], IMAGES_17M),
    '25m': (32, ['webvid10m'], IMAGES_17M)
}
# Stage: name, batch, losses, learning rate, epochs, warm-up.
STAGES = dict(
    masked=('umt-videomamba-middle_k400-pre_{w}xb128-u8-10e_{c}.py', 128,
            dict(vtc=1, vtm=1, mlm=1, uta=1), 4e-4, 10, 1),
    unmasked=('videomamba-middle_umt-{c}-pre_{w}xb64-u8-1e_{c}.py', 64,
              dict(vtc=1, vtm=1, mlm=1), 8e-5, 1, 0.2))
PRE = 'retrieval/videomamba-middle_umt-25m-pre_'
# Config: most words, batch, epochs, warm-up, rate, paragraphs, seconds, weight
# of masked words, figure of the best checkpoint, files.
BEST = 'mean_recall'
MSRVTT = ('msrvtt_ret_test1k', ) * 2
DIDEMO = ('didemo_ret_val', 'didemo_ret_test')
SETS = {
    '8xb64-u8-2e_msrvtt': (32, 64, 2, 0.2, 1e-5, False, None, 0, BEST, MSRVTT),
    '8xb64-u8-2e_didemo': (64, 64, 2, 0.2, 1e-5, True, 30, 0, BEST, DIDEMO),
    '8xb64-u8-2e_activitynet':
    (150, 64, 2, 0.2, 1e-5, True, None, 0, BEST, ('anet_ret_val', ) * 2),
    '8xb64-u8-2e_lsmdc': (96, 64, 2, 0.2, 1e-5, False, None, 0, BEST,
                          ('lsmdc_ret_test_1000', ) * 2),
    '8xb64-u8-2e_msvd':
    (64, 64, 2, 0.2, 1e-5, False, None, 0, BEST, ('msvd_ret_test', ) * 2),
    '8xb32-u12-5e_msrvtt-7k':
    (32, 32, 5, 0, 1e-5, False, None, 0, None, MSRVTT),
    '8xb32-u12-5e_msrvtt-9k':
    (32, 32, 5, 0, 1e-5, False, None, 0, None, MSRVTT),
    '8xb32-u12-10e_didemo': (64, 32, 10, 0, 1e-5, True, 30, 0, BEST, DIDEMO),
    '8xb32-u12-10e_activitynet': (64, 32, 10, 1, 1e-5, True, None, 1, BEST,
                                  ('anet_ret_val_1', ) * 2),
    '8xb32-u12-10e_sthv2-label': (25, 32, 10, 0, 1e-4, False, None, 0, None,
                                  ('ssv2_ret_label_val_small', ) * 2),
    '8xb32-u12-10e_sthv2-template': (22, 32, 10, 0, 1e-4, False, None, 0, None,
                                     ('ssv2_ret_template_val_small', ) * 2),
    '8xb128-u1-10e_coco': (22, 128, 10, 0, 1e-5, False, None, 0, BEST,
                           ('coco_val', 'coco_test')),
    '8xb128-u1-10e_flickr30k': (32, 128, 10, 0, 1e-5, False, None, 0, BEST,
                                ('flickr30k_val', 'flickr30k_test'))
}
# Lists for training, where the name does not follow from the list for
# validation.
TRAINING = {
    '8xb64-u8-2e_msrvtt': 'msrvtt_ret_train9k',
    '8xb32-u12-5e_msrvtt-7k': 'msrvtt_ret_train7k',
    '8xb32-u12-5e_msrvtt-9k': 'msrvtt_ret_train9k'
}
QUESTIONS = 'question_answering/videomamba-middle_umt-25m-pre_8xb32-u12-10e_'
QA_SETS = {'msrvtt-qa': 'msrvtt', 'activitynet-qa': 'activitynet'}


def step(pipeline: list, name: str) -> dict:
    found = [s for s in pipeline if s['type'].split('.')[-1] == name]
    assert len(found) == 1, name
    return found[0]


def effective(cfg: dict, kind: type, name: str) -> Any:
    """Return the value of an argument, of the config or by default."""
    if name in cfg:
        return cfg[name]
    return signature(kind.__init__).parameters[name].default


def check_model(cfg: Config) -> None:
    """Check settings of losses and judge shared by all models."""
    wanted = dict(
        embed_dims=512,
        temperature=0.07,
        temperature_range=(0.001, 0.5),
        hard_negatives=True,
        mlm_probability=0.5,
        gather_grad='own',
        align_images_only=False,
        masked_keep_temporal=False)
    found = {k: effective(cfg.model, VideoTextModel, k) for k in wanted}
    assert found == wanted
    assert effective(cfg.model, VideoTextModel,
                     'alignment_loss')['normalize'] is True


def check_common(cfg: Config,
                 weight_decay: float,
                 frames: int = 8,
                 judge: bool = True) -> None:
    """Check the settings shared by all published runs."""
    vision = cfg.model.vision_encoder
    assert vision.backbone.arch == 'middle'
    assert vision.backbone.drop_path_rate == 0.25
    assert (vision.backbone.img_size, vision.backbone.num_frames) == (224,
                                                                      frames)
    assert (vision.pool_type, vision.keep_temporal) == ('cls+avg', True)
    text = cfg.model.text_encoder
    assert (text.arch, text.fusion_layer, text.encoder_width) == ('base', 9,
                                                                  576)
    assert text.with_cp
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.betas) == ('AdamW', (0.9, 0.999))
    assert optimizer.weight_decay == weight_decay
    assert 'clip_grad' not in cfg.optim_wrapper
    assert cfg.param_scheduler.floor == 0.01
    assert cfg.randomness.seed == 42
    # By default as published.
    assert signature(torch.optim.AdamW).parameters['eps'].default == 1e-8
    assert 'eps' not in optimizer
    assert (cfg.optim_wrapper.type,
            cfg.optim_wrapper.dtype) == ('AmpOptimWrapper', 'bfloat16')
    assert cfg.optim_wrapper.loss_scale == dict(enabled=False)
    assert 'with_cp' not in vision.backbone
    # Weight decay covers all but tensors of one axis; see
    # test_golden_param_groups.py.
    assert cfg.optim_wrapper.paramwise_cfg == dict(
        flat_decay_mult=0., bypass_duplicate=True)
    # The rate is not scaled by the batch, unless asked for.
    assert cfg.auto_scale_lr.enable is False
    schedule = cfg.param_scheduler
    assert schedule.type == 'mmvideomamba.FlooredCosineLR'
    assert schedule.by_epoch and schedule.convert_to_iter_based
    assert cfg.train_cfg.get('val_interval', 1) == 1
    if judge:
        check_model(cfg)
    norm = cfg.model.data_preprocessor
    assert norm.mean == [123.675, 116.28, 103.53]
    assert norm.std == [58.395, 57.12, 57.375]
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader):
        samplers = [
            s for s in loader.dataset.pipeline
            if s['type'] == 'mmvideomamba.IntervalSample'
        ]
        assert all(s.clip_len == frames for s in samplers)
    resize = step(cfg.val_dataloader.dataset.pipeline, 'Resize')
    assert (resize.scale, resize.keep_ratio) == ((224, 224), False)
    assert resize.interpolation == 'bicubic'


def check_ranking(cfg: Config) -> None:
    for loop in (cfg.val_cfg, cfg.test_cfg):
        assert loop.topk == 128
        assert effective(loop, RetrievalScorer, 'text_batch') == 256
    for metric in (cfg.val_evaluator, cfg.test_evaluator):
        assert metric.type == 'mmvideomamba.VideoTextRecall'
        assert effective(metric, VideoTextRecall, 'topk') == (1, 5, 10)
        # The judge's order counts.
        assert effective(metric, VideoTextRecall, 'primary') == ('t2v', 'v2t')


def check_augmentation(pipeline: list, flip: bool = True) -> None:
    assert step(pipeline, 'RandomResizedCrop').area_range == (0.5, 1.0)
    assert step(pipeline, 'Resize').interpolation == 'bicubic'
    flips = [s for s in pipeline if s['type'] == 'Flip']
    assert [s.flip_ratio for s in flips] == [0.5] * flip


@pytest.mark.parametrize('corpus', CORPORA)
@pytest.mark.parametrize('stage', STAGES)
def test_pretraining(corpus: str, stage: str) -> None:
    processes, videos, images = CORPORA[corpus]
    name, batch, losses, rate, epochs, warmup = STAGES[stage]
    cfg = Config.fromfile(CONFIGS / 'multimodal' /
                          name.format(w=processes, c=corpus))
    check_common(cfg, 0.05)
    check_ranking(cfg)
    assert cfg.model.loss_weights == losses
    assert cfg.model.text_encoder.with_mlm
    assert cfg.model.tokenizer.max_length == 32
    assert cfg.optim_wrapper.optimizer.lr == rate
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler.T_max,
            cfg.param_scheduler.warmup) == (epochs, epochs, warmup)
    assert cfg.find_unused_parameters
    for loader, wanted, modality in ((cfg.train_dataloader, videos, 'video'),
                                     (cfg.train_cfg.image_dataloader, images,
                                      'image')):
        assert loader.batch_size == batch and loader.drop_last
        assert loader.dataset.modality == modality
        assert [s.ann_file.split('/')[0]
                for s in loader.dataset.sources] == wanted
        check_augmentation(loader.dataset.pipeline)
    sampler = step(cfg.train_dataloader.dataset.pipeline, 'IntervalSample')
    assert (sampler.clip_len, sampler.mode) == (8, 'rand')
    assert 'msrvtt_ret_test1k' in cfg.val_dataloader.dataset.ann_file
    assert cfg.default_hooks.checkpoint.save_best == BEST
    if stage == 'unmasked':
        assert 'teacher' not in cfg.model and 'mask_cfg' not in cfg.model
        assert f'_{corpus}/' in cfg.load_from
        return
    assert cfg.model.mask_cfg == dict(
        video=dict(source='attention', ratio=0.8),
        image=dict(source='attention', ratio=0.5))
    teacher = cfg.model.teacher
    assert (teacher.arch, teacher.norm) == ('b16', 'none')
    assert effective(teacher, CLIPTeacher, 'num_levels') == 1
    assert effective(teacher, CLIPTeacher, 'with_cls_token')
    neck = cfg.model.vision_encoder.neck
    assert (neck.in_channels, neck.out_channels, neck.norm) == (576, 512,
                                                                'none')
    backbone = cfg.model.vision_encoder.backbone
    assert backbone.stream_indices == -2
    assert 'k400_mask_pt_f8_res224' in backbone.init_cfg.checkpoint
    ratios = (cfg.model.mask_cfg[kind].ratio for kind in ('video', 'image'))
    assert [visible_per_frame(196, ratio) for ratio in ratios] == [40, 98]


def test_text_towers() -> None:
    """Sizes of BERT, as given by TextTower's arguments."""
    base, large = (
        BertConfig.of(TextTower.arch_zoo[arch]) for arch in ('base', 'large'))
    assert (base.vocab_size, base.hidden_size, base.num_hidden_layers,
            base.num_attention_heads, base.intermediate_size) == (30522, 768,
                                                                  12, 12, 3072)
    assert (large.hidden_size, large.num_hidden_layers,
            large.num_attention_heads, large.intermediate_size) == (1024, 24,
                                                                    16, 4096)
    for one in (base, large):
        assert (one.max_position_embeddings, one.hidden_act,
                one.layer_norm_eps, one.initializer_range,
                one.hidden_dropout_prob,
                one.attention_probs_dropout_prob) == (512, 'gelu', 1e-12, 0.02,
                                                      0.1, 0.1)
    assert TextTower.fusion_zoo == dict(base=9, large=19)


def test_shards_as_the_docs_tell(tmp_path: Path) -> None:
    """The example of docs/video_text.md is a whole config."""
    text = (CONFIGS.parent / 'docs' / 'video_text.md').read_text()
    code = [x for x in text.split('```python\n')[1:] if 'ShardSampler' in x]
    child = tmp_path / 'child.py'
    child.write_text(code[0].split('```')[0].replace(
        "'./", f"'{CONFIGS / 'multimodal'}/"))
    cfg, base = Config.fromfile(child), Config.fromfile(
        CONFIGS / 'multimodal' / STAGES['masked'][0].format(w=16, c='5m'))
    loader = cfg.train_dataloader
    assert loader.sampler.type == 'mmvideomamba.ShardSampler'
    (source, ) = loader.dataset.sources
    assert set(source) == {'ann_file', 'count_file', 'on_short'}
    assert cfg.train_cfg == base.train_cfg
    loader.sampler, loader.dataset.sources = (
        base.train_dataloader.sampler, base.train_dataloader.dataset.sources)
    assert loader == base.train_dataloader


@pytest.mark.parametrize('name', SETS)
def test_retrieval(name: str) -> None:
    (length, batch, epochs, warmup, rate, paragraph, seconds, words, best,
     files) = SETS[name]
    cfg = Config.fromfile(CONFIGS / f'{PRE}{name}.py')
    check_common(cfg, 0.02, frames=12 if 'u12' in name else 8)
    check_ranking(cfg)
    weights = dict(vtc=1, vtm=1, mlm=1) if words else dict(vtc=1, vtm=1)
    assert cfg.model.loss_weights == weights
    assert cfg.model.text_encoder.with_mlm == bool(words)
    assert cfg.model.tokenizer.max_length == length
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.optim_wrapper.optimizer.lr == rate
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler.T_max,
            cfg.param_scheduler.warmup) == (epochs, epochs, warmup)
    train = cfg.train_dataloader.dataset
    check_augmentation(train.pipeline, flip='sthv2' not in name)
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader):
        assert loader.dataset.get('paragraph', False) == paragraph
        if 'u1-' in name:
            step(loader.dataset.pipeline, 'ReadImage')
            continue
        sampler = step(loader.dataset.pipeline, 'IntervalSample')
        assert sampler.get('max_seconds') == seconds
        assert sampler.get('mode',
                           'middle') == ('rand' if loader
                                         is cfg.train_dataloader else 'middle')
    checkpoint = cfg.default_hooks.checkpoint
    assert (checkpoint.save_best, checkpoint.max_keep_ckpts) == (best, 1)
    loaders = cfg.val_dataloader, cfg.test_dataloader
    assert tuple(x.dataset.ann_file
                 for x in loaders) == tuple(f'{file}.json' for file in files)
    name_in_training = TRAINING.get(name) or re.sub(
        '(val|test)(_small|_1(000)?)?$', 'train', files[0])
    assert train.ann_file == f'{name_in_training}.json'
    # Only the published runs of Something-Something V2 go by caption.
    assert effective(train, RetrievalDataset,
                     'pair_ids') == ('caption' if 'sthv2' in name else 'video')


def check_stock_loops(cfg: Config, metric: str) -> None:
    """Check that the host's loops evaluate, each sample once."""
    assert (cfg.val_cfg, cfg.test_cfg) == (dict(type='ValLoop'),
                                           dict(type='TestLoop'))
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.test_mode
        assert not (loader.sampler.shuffle or loader.sampler.round_up)
    assert cfg.val_evaluator == cfg.test_evaluator == dict(type=metric)


@pytest.mark.parametrize('name', QA_SETS)
def test_question_answering(name: str) -> None:
    cfg = Config.fromfile(CONFIGS / f'{QUESTIONS}{name}.py')
    check_common(cfg, 0.02, frames=12, judge=False)
    check_stock_loops(cfg, 'VQAAcc')
    assert cfg.model.type == 'mmvideomamba.VideoTextQA'
    assert (cfg.model.tokenizer.max_length, cfg.model.answer_length,
            cfg.model.topk) == (25, 5, 128)
    assert cfg.model.answer_file.startswith(f'data/{QA_SETS[name]}/')
    assert not cfg.model.text_encoder.with_mlm
    assert cfg.train_dataloader.batch_size == 32
    assert cfg.optim_wrapper.optimizer.lr == 1e-5
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler.T_max,
            cfg.param_scheduler.warmup) == (10, 10, 0.5)
    check_augmentation(cfg.train_dataloader.dataset.pipeline)
    files = [
        loader.dataset.ann_file
        for loader in (cfg.train_dataloader, cfg.val_dataloader,
                       cfg.test_dataloader)
    ]
    for file, part in zip(files, ('train', 'val', 'test')):
        assert file.endswith(f'qa_{part}.json')


def test_multiple_choice() -> None:
    cfg = Config.fromfile(CONFIGS / f'{QUESTIONS}msrvtt-mc.py')
    check_common(cfg, 0.02, frames=12)
    check_stock_loops(cfg, 'VQAMCACC')
    assert cfg.model.type == 'mmvideomamba.VideoTextMC'
    assert (effective(cfg.model, VideoTextMC, 'match_weight'),
            effective(cfg.model, VideoTextMC,
                      'similarity_weight')) == (0.7, 0.3)
    assert cfg.model.loss_weights == dict(vtc=1, vtm=1)
    assert cfg.model.tokenizer.max_length == 32
    assert cfg.val_dataloader.dataset.num_options == 5
    assert cfg.train_dataloader.batch_size == 32
    assert cfg.optim_wrapper.optimizer.lr == 1e-5
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler.T_max,
            cfg.param_scheduler.warmup) == (10, 10, 0)
    check_augmentation(cfg.train_dataloader.dataset.pipeline)
    # 9k videos for training would hold some of this test.
    assert 'train7k' in cfg.train_dataloader.dataset.ann_file
