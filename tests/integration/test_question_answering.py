"""Questions and options about clips, through the recipes, at a tiny size."""
import json
from pathlib import Path
from typing import List

import pytest
import torch
from host_tools import ROOT, run_ranks
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmvideomamba.models import VideoTextModel

pytest.importorskip('tokenizers', reason='texts need tokenizers')
pytestmark = pytest.mark.slow
RECIPES = ROOT / 'configs/question_answering'
NAME = 'videomamba-middle_umt-25m-pre_8xb32-u12-10e_{}.py'
BERT = dict(
    vocab_size=256,
    hidden_size=32,
    num_hidden_layers=4,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=32,
    initializer_range=0.1,
    hidden_dropout_prob=0.,
    attention_probs_dropout_prob=0.)


class Watch(Hook):
    """Note the losses and the metrics of validation."""

    def __init__(self) -> None:
        self.losses: List[float] = []
        self.metrics: List[dict] = []

    def before_train(self, runner) -> None:
        self.start = {
            k: v.clone()
            for k, v in runner.model.state_dict().items()
        }

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        self.losses.append(outputs['loss'].item())

    def after_val_epoch(self, runner, metrics=None) -> None:
        self.metrics.append(metrics)


def tiny(name: str, work_dir: str) -> Config:
    """Read a recipe and make model, clips and schedule small."""
    cfg = Config.fromfile(RECIPES / NAME.format(name))
    vision = cfg.model.vision_encoder.backbone
    vision.arch = dict(embed_dims=32, num_layers=2)
    vision.update(img_size=32, num_frames=4, drop_path_rate=0.)
    cfg.model.text_encoder.update(
        arch=BERT, fusion_layer=2, encoder_width=32, with_cp=False)
    cfg.model.tokenizer.folder = 'data'
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader):
        loader.update(batch_size=20, num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root='data', data_prefix=dict(video=''))
        for step in loader.dataset.pipeline:
            if step['type'] == 'Resize':
                step['scale'] = (32, 32)
            if step['type'] == 'mmvideomamba.IntervalSample':
                step['clip_len'] = 4
    cfg.optim_wrapper = dict(optimizer=dict(type='AdamW', lr=3e-3))
    cfg.param_scheduler = None
    cfg.load_from, cfg.work_dir, cfg.experiment_name = None, work_dir, work_dir
    return cfg


@pytest.fixture
def folder(caption_clips: Path, monkeypatch) -> Path:
    """Work in the parent folder of data/, with an odd number of questions.

    Two processes have unequal shares of an odd number.
    """
    path = caption_clips / 'data/qa_val.json'
    path.write_text(json.dumps(json.loads(path.read_text())[:59]))
    monkeypatch.chdir(caption_clips)
    return caption_clips


def pretrained(cfg: Config, path: str) -> VideoTextModel:
    """Save a model in the state after pretraining."""
    model = VideoTextModel(
        vision_encoder=cfg.model.vision_encoder,
        text_encoder={
            **cfg.model.text_encoder, 'with_mlm': True
        },
        tokenizer=cfg.model.tokenizer)
    torch.save(dict(state_dict=model.state_dict()), path)
    return model


def ends(losses: List[float]) -> List[float]:
    """Return the mean of the first and of the last three losses."""
    return [sum(part) / 3 for part in (losses[:3], losses[-3:])]


def on_two_processes(cfg: Config, folder: Path) -> float:
    """Test as a user does, 30 questions and 29."""
    cfg.env_cfg.dist_cfg.backend = 'gloo'
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel', device_ids=None)
    cfg.dump('two.py')
    done = run_ranks(
        2,
        ROOT / 'tools/test.py',
        'two.py',
        cfg.load_from,
        '--work-dir',
        'two',
        cwd=folder)
    assert done.returncode == 0, done.stderr
    log, = (folder / 'two').glob('*/*.json')
    return json.loads(log.read_text())['VQA/acc']


def test_question_answering(folder: Path) -> None:
    cfg = tiny('msrvtt-qa', 'qa')
    for part in ('train', 'val', 'test'):
        split = 'train' if part == 'train' else 'val'
        cfg[f'{part}_dataloader'].dataset.ann_file = f'qa_{split}.json'
    cfg.model.answer_file = 'data/answers.json'
    # With other weights the training may need twice as long.
    cfg.randomness = dict(seed=5)
    torch.manual_seed(5)
    source = pretrained(cfg, 'pretrained.pth')
    cfg.load_from = 'pretrained.pth'
    cfg.train_cfg.update(max_epochs=10, val_interval=5)
    runner = Runner.from_cfg(cfg)
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    # The runner starts the decoder as layers 2 and 3 of the file.
    kept = 0
    for key, value in source.text_encoder.state_dict().items():
        for i in range(2):
            if key.startswith(f'bert.encoder.layer.{i + 2}.attention'):
                name = key.replace(f'layer.{i + 2}', f'layer.{i}')
                assert torch.equal(watch.start[f'text_decoder.{name}'], value)
                kept += 1
    assert kept == 20
    assert len(watch.losses) == 10 * 9
    assert torch.tensor(watch.losses).isfinite().all()
    first, last = ends(watch.losses)
    assert last < first / 2
    # 13 answers to choose from; 5, 4 and 4 once the question is understood.
    assert watch.metrics[-1]['VQA/acc'] > 100 / 13 * 2
    saved, = (folder / 'qa').glob('best_VQA_acc_*.pth')
    cfg.load_from, cfg.experiment_name = str(saved), 'qa-test'
    found = Runner.from_cfg(cfg).test()
    best = max(m['VQA/acc'] for m in watch.metrics)
    assert found['VQA/acc'] == pytest.approx(best)
    assert on_two_processes(cfg, folder) == pytest.approx(found['VQA/acc'])


def test_multiple_choice(folder: Path) -> None:
    """Zero-shot from a file, then trained on pairs."""
    cfg = tiny('msrvtt-mc', 'mc')
    cfg.train_dataloader.dataset.update(
        ann_file='train.json', train_texts='random')
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.ann_file = 'mc_val.json'
    pretrained(cfg, 'pretrained.pth')
    cfg.load_from = 'pretrained.pth'
    cfg.train_cfg.update(max_epochs=6, val_interval=6)
    zero_shot = Runner.from_cfg(cfg).test()['VQAMC/acc']
    assert zero_shot % 5 == pytest.approx(0)  # of 20 clips
    cfg.experiment_name = 'mc-train'
    runner = Runner.from_cfg(cfg)
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    assert len(watch.losses) == 6 * 3
    assert torch.tensor(watch.losses).isfinite().all()
    first, last = ends(watch.losses)
    assert last < first
    right = []
    for batch in runner.val_dataloader:
        right += [
            sample.pred_label == int(sample.gt_label)
            for sample in runner.model.val_step(batch)
        ]
    assert len(right) == 20
    assert watch.metrics[-1]['VQAMC/acc'] == pytest.approx(100 * sum(right) /
                                                           len(right))
