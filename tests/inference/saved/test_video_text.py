"""Tests of saved models of videos and texts."""
import json
import shutil
from pathlib import Path
from typing import Any, Callable, Tuple

import pytest
import torch
from host_tools import ROOT
from mmengine.config import Config
from text_model_files import RETRIEVAL_ALONE
from tiny_recipes import runner_file

import mmvideomamba

RECIPES = ROOT / 'configs/retrieval/quickstart'
WORDS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'square', 'moves',
         'left', 'right')


def small_config(name: str, folder: Path) -> Config:
    """Load a recipe with a model of a moment and a vocabulary."""
    cfg = Config.fromfile(RECIPES /
                          ('retrieval-videomamba-micro_scratch_1xb32-u4-8e_'
                           f'quickstart-{name}.py'))
    folder.mkdir()
    (folder / 'vocab.txt').write_text('\n'.join(WORDS) + '\n')
    cfg.model.tokenizer.folder = str(folder)
    cfg.model.vision_encoder.backbone.update(
        arch=dict(embed_dims=16, num_layers=1))
    cfg.model.text_encoder.encoder_width = 16
    return cfg


def saved_pair(cfg: Config, tmp_path: Path) -> Tuple[Any, Any]:
    """Return a model and the same loaded, the files removed in between."""
    model = runner_file(cfg, tmp_path / 'epoch_1.pth', epoch=1)
    mmvideomamba.save_pretrained(tmp_path / 'epoch_1.pth', tmp_path / 'saved')
    model.tokenize(['a'])  # reads the vocabulary
    shutil.rmtree(cfg.model.tokenizer.folder)
    (tmp_path / 'saved').rename(tmp_path / 'moved')
    return model, mmvideomamba.load(tmp_path / 'moved')


def test_retrieval(tmp_path: Path, make_video: Callable) -> None:
    """Text tower and vocabulary come along, also to another folder."""
    cfg = small_config('captions', tmp_path / 'bert')
    cfg.model.text_encoder.weights = None
    model, loaded = saved_pair(cfg, tmp_path)
    assert loaded.description['task'] == 'video-text-retrieval'
    texts = ['a square moves left', 'a square moves right']
    assert torch.equal(loaded.tokenize(texts).ids, model.tokenize(texts).ids)
    batch = loaded.pipeline(make_video())
    with torch.no_grad():
        clip = model.data_preprocessor(batch)['inputs']
        hidden = model.text_encoder.encode(*model.tokenize(texts))
        assert torch.equal(
            loaded.encode_videos(clip).pooled,
            model.encode_videos(clip).pooled)
        assert torch.equal(
            loaded.text_encoder.encode(*loaded.tokenize(texts)), hidden)
    backbone = mmvideomamba.VideoMamba.from_pretrained(tmp_path / 'moved')
    assert torch.equal(backbone.cls_token,
                       model.vision_encoder.backbone.cls_token)


def test_a_relative_path(tmp_path: Path,
                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a loaded model are found from another working folder."""
    cfg = small_config('captions', tmp_path / 'bert')
    runner_file(cfg, tmp_path / 'epoch_1.pth')
    monkeypatch.chdir(tmp_path)
    mmvideomamba.save_pretrained('epoch_1.pth', 'saved')
    loaded = mmvideomamba.load('saved/')
    (tmp_path / 'elsewhere').mkdir()
    monkeypatch.chdir(tmp_path / 'elsewhere')
    assert len(loaded.tokenize(['a square']).ids) == 1
    again = mmvideomamba.save_pretrained(loaded, 'again')
    assert (again / 'tokenizer' / 'vocab.txt').is_file()


def test_training_parts_stay_behind(tmp_path: Path) -> None:
    """Teacher, decoder and files of weights are left out."""
    cfg = small_config('captions', tmp_path / 'bert')
    vision = cfg.model.vision_encoder
    vision.backbone.stream_indices = -1
    vision.neck = dict(
        type='mmvideomamba.UMTDecoder',
        in_channels=16,
        out_channels=12,
        norm='none')
    model, loaded = saved_pair(cfg, tmp_path)
    assert any('neck' in key for key in model.state_dict())
    assert not any('neck' in key for key in loaded.state_dict())
    assert loaded.vision_encoder.backbone.stream_indices == []


def test_prompts(tmp_path: Path, make_video: Callable) -> None:
    """Classes by prompts are set again when the model is loaded."""
    cfg = small_config('prompts', tmp_path / 'bert')
    classes = [['left', 'a left'], 'right']
    cfg.test_dataloader.dataset.metainfo = dict(classes=classes)
    (tmp_path / 'bert' / 'prompts.txt').write_text('a square moves {}\n')
    cfg.model.prompts = str(tmp_path / 'bert' / 'prompts.txt')
    cfg.model.topk = 2
    model, loaded = saved_pair(cfg, tmp_path)
    assert loaded.description['task'] == 'prompt-classification'
    assert loaded.description['classes'] == ['left', 'right']
    batch = loaded.pipeline(make_video())
    found = loaded.test_step(batch)[0]
    model.prompts = loaded.prompts
    model.set_classes(classes)
    expected = model.test_step(loaded.pipeline(make_video()))[0]
    assert torch.equal(found.pred_score, expected.pred_score)
    again = mmvideomamba.save_pretrained(loaded, tmp_path / 'again')
    config = json.loads((again / 'config.json').read_text())
    assert config['prompt_classes'] == classes


def test_multiple_choice(tmp_path: Path, make_video: Callable) -> None:
    """Scores of options equal the scores of the model before saving."""
    cfg = small_config('captions', tmp_path / 'bert')
    cfg.model.type = 'mmvideomamba.VideoTextMC'
    model, loaded = saved_pair(cfg, tmp_path)
    assert loaded.description['task'] == 'video-multiple-choice'
    scores = []
    for one in (model, loaded):
        batch = loaded.pipeline(make_video())
        batch['data_samples'][0].caption_options = ['a left', 'a right', 'a']
        scores.append(one.test_step(batch)[0].score)
    assert len(scores[0]) == 3 and (scores[0] == scores[1]).all()


def test_questions(tmp_path: Path, make_video: Callable) -> None:
    """Answers come along, and leave with another model in the folder."""
    cfg = small_config('captions', tmp_path / 'bert')
    for key in RETRIEVAL_ALONE:
        cfg.model.pop(key)
    answers = tmp_path / 'bert' / 'all.json'
    answers.write_text(json.dumps(['left', 'right', 'a square']))
    cfg.model.update(type='mmvideomamba.VideoTextQA', answer_file=str(answers))
    model = runner_file(cfg, tmp_path / 'epoch_1.pth')
    found = []
    folder = mmvideomamba.save_pretrained(tmp_path / 'epoch_1.pth',
                                          tmp_path / 'saved')
    loaded = mmvideomamba.load(folder)
    assert loaded.description['task'] == 'video-question-answering'
    for one in (model, loaded):
        batch = loaded.pipeline(make_video())
        batch['data_samples'][0].question = 'a square moves'
        found.append(one.test_step(batch)[0].pred_answer)
    assert found[0] == found[1] in ['left', 'right', 'a square']
    for key, weight in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], weight), key
    backbone = mmvideomamba.VideoMamba.from_pretrained(folder)
    backbone.save_pretrained(folder)
    assert len(list(folder.iterdir())) == 3


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """A model without the vocabulary is not saved."""
    cfg = small_config('captions', tmp_path / 'bert')
    runner_file(cfg, tmp_path / 'epoch_1.pth')
    shutil.rmtree(tmp_path / 'bert')
    with pytest.raises(ValueError, match='bert has no vocab.txt'):
        mmvideomamba.save_pretrained(tmp_path / 'epoch_1.pth',
                                     tmp_path / 'saved')
    assert not (tmp_path / 'saved').exists()


def test_a_file_of_a_published_pretraining(tmp_path: Path) -> None:
    """The decoder of the training is dropped, and nothing else."""
    cfg = small_config('captions', tmp_path / 'bert')
    model = runner_file(cfg, tmp_path / 'unused.pth')
    weights = {
        k.replace('vision_encoder.backbone.', 'vision_encoder.'): v
        for k, v in model.state_dict().items()
    }
    weights['vision_encoder.clip_decoder.0.head.weight'] = torch.ones(3, 16)
    path = tmp_path / 'published.pth'
    torch.save(dict(model=weights), path)
    loaded = mmvideomamba.load(path, config=cfg)
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name
    for name in ('vision_proj.bias', 'vision_encoder.pool_norm.weight'):
        torch.save(
            dict(model={
                k: v
                for k, v in weights.items() if k != name
            }), path)
        with pytest.raises(ValueError, match=f'1 tensors missing.* {name}'):
            mmvideomamba.load(path, config=cfg)
