"""Stock heads, localizers and metrics work with bfloat16 scores."""
import ast
import copy
import importlib
import pickle
import sys
import types
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from einops import rearrange
from mmaction.evaluation import (AccMetric, AVAMetric, MultiSportsMetric,
                                 RetrievalMetric)
from mmaction.models.heads import OmniHead, RGBPoseHead, TSNHead
from mmaction.models.heads.base import BaseHead
from mmaction.models.localizers import BMN, PEM, TEM
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpretrain.apis import ImageClassificationInferencer
from mmpretrain.structures import DataSample
from torch import Tensor

from mmvideomamba.compat import bfloat16_scores, package_dir
from .fresh_python import ROOT

RECIPE = (
    ROOT / 'configs' / 'motion_noise' /
    'vit-tiny12-tube2_1xb128-d16-4e_motion-kinds.py')
REFUSAL = 'unsupported ScalarType BFloat16'


def scores(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator).bfloat16()


def samples(*labels: int) -> List[ActionDataSample]:
    return [ActionDataSample().set_gt_label(label) for label in labels]


class Clips(torch.utils.data.Dataset):
    """Four clips of noise, each of another class."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Dict[str, Any]:
        generator = torch.Generator().manual_seed(index)
        clip = torch.randint(
            256, (1, 3, 4, 16, 16), dtype=torch.uint8, generator=generator)
        return dict(inputs=clip, data_samples=samples(index)[0])


def small_recipe(average: str) -> Config:
    """Shrink the ViT's recipe to four clips of (3, 4, 16, 16)."""
    cfg = Config.fromfile(RECIPE)
    cfg.model.backbone.update(
        img_size=16, patch_size=8, embed_dims=24, depth=1, num_frames=4)
    cfg.model.cls_head.update(
        num_classes=4, in_channels=24, average_clips=average)
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=Clips(),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'))
    for part in ('train', 'val'):
        cfg[f'{part}_dataloader'] = copy.deepcopy(loader)
    cfg.train_cfg.update(max_epochs=1)
    cfg.val_cfg = dict(type='ValLoop', fp16=True)
    return cfg


def run_recipe(cfg: Config, folder: Path) -> Runner:
    """Train an epoch and validate, as the recipe says."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        runner = Runner(
            model=cfg.model,
            work_dir=str(folder),
            train_dataloader=cfg.train_dataloader,
            val_dataloader=cfg.val_dataloader,
            train_cfg=cfg.train_cfg,
            val_cfg=cfg.val_cfg,
            optim_wrapper=cfg.optim_wrapper,
            val_evaluator=cfg.val_evaluator,
            default_hooks=dict(checkpoint=None),
            default_scope='mmaction',
            experiment_name=folder.name)
        runner.seen = []
        runner.model.cls_head.register_forward_hook(
            lambda head, _, out: runner.seen.append(
                (head.training, out.dtype)))
        runner.weights = copy.deepcopy(runner.model.state_dict())
        runner.train()
    return runner


@pytest.fixture
def amp_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let AmpOptimWrapper work here, in the autocast of the CPU."""
    monkeypatch.setattr(
        'mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available',
        lambda: True)
    monkeypatch.setattr('mmengine.runner.amp.get_device', lambda: 'cpu')


@pytest.mark.parametrize('average', ['prob', 'score'])
def test_recipe_trains_and_validates(tmp_path: Path, amp_on_cpu: None,
                                     average: str) -> None:
    cfg = small_recipe(average)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.dtype == 'bfloat16'
    assert cfg.model.cls_head.type == 'TimeSformerHead'
    runner = run_recipe(cfg, tmp_path)
    # Two batches of the training, and two of the validation.
    assert sorted(
        runner.seen
    ) == [(False, torch.bfloat16)] * 2 + [(True, torch.bfloat16)] * 2
    log = runner.message_hub
    assert np.isfinite(log.get_scalar('train/loss').current())
    assert log.get_scalar('val/acc/top1').current() in (0, .25, .5, .75, 1)
    weight = 'cls_head.fc_cls.weight'
    assert not torch.equal(runner.model.state_dict()[weight],
                           runner.weights[weight])


def uncured(host: Any, method: str) -> Callable:
    """Return the host's own method."""
    return getattr(host, method).__wrapped__


def test_recipe_fails_without_the_cure(
        tmp_path: Path, amp_on_cpu: None,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseHead, 'loss_by_feat',
                        uncured(BaseHead, 'loss_by_feat'))
    with pytest.raises(TypeError, match=REFUSAL):
        run_recipe(small_recipe('prob'), tmp_path)


def test_validation_fails_without_the_cures(
        tmp_path: Path, amp_on_cpu: None,
        monkeypatch: pytest.MonkeyPatch) -> None:
    for host, method in ((BaseHead, 'predict_by_feat'), (AccMetric,
                                                         'process')):
        monkeypatch.setattr(host, method, uncured(host, method))
    with pytest.raises(TypeError, match=REFUSAL):
        run_recipe(small_recipe('score'), tmp_path)


def pose_scores() -> Dict[str, Tensor]:
    return dict(rgb=scores(3, 4), pose=scores(3, 4).flip(0))


HEADS = [
    (TSNHead(num_classes=4, in_channels=8,
             topk=(1, 2)), BaseHead, lambda: scores(3, 4)),
    (OmniHead(4, 4, 8, topk=(1, 2)), OmniHead, lambda: scores(3, 4)),
    (RGBPoseHead(4, (8, 8), topk=(1, 2)), RGBPoseHead, pose_scores),
]
every_head = pytest.mark.parametrize(
    'head, host, make', HEADS, ids=lambda x: getattr(x, '__name__', ''))


def of_float32(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: of_float32(value) for name, value in found.items()}
    return found.float()


@every_head
def test_loss_is_that_of_float32(head: BaseHead, host: type,
                                 make: Callable) -> None:
    with torch.autocast('cpu', torch.bfloat16):
        found = head.loss_by_feat(make(), samples(0, 1, 2))
        expected = head.loss_by_feat(
            cls_scores=of_float32(make()), data_samples=samples(0, 1, 2))
        with pytest.raises(TypeError, match=REFUSAL):
            uncured(host, 'loss_by_feat')(head, make(), samples(0, 1, 2))
    assert any('loss' in name for name in found)
    assert any('top2' in name for name in found)
    assert set(found) == set(expected)
    for name, value in found.items():
        assert torch.equal(value, expected[name]), name
        assert value.dtype == expected[name].dtype


@every_head
@pytest.mark.parametrize('average', ['prob', 'score', None])
def test_predictions_are_those_of_float32(head: BaseHead, host: type,
                                          make: Callable, average: str,
                                          monkeypatch: Any) -> None:
    monkeypatch.setattr(head, 'average_clips', average)
    found = head.predict_by_feat(make(), samples(0, 1, 2))
    expected = head.predict_by_feat(of_float32(make()), samples(0, 1, 2))
    for one, other in zip(found, expected):
        parts = [
            score if isinstance(score, dict) else dict(all=score)
            for score in (one.pred_score, other.pred_score)
        ]
        for name, score in parts[0].items():
            assert score.dtype == torch.float32
            assert torch.equal(score, parts[1][name])
        assert one.get('pred_label') == other.get('pred_label')


def test_the_gradient_reaches_the_scores() -> None:
    given = scores(3, 4).requires_grad_()
    HEADS[0][0].loss_by_feat(given, samples(0, 1, 2))['loss_cls'].backward()
    assert given.grad is not None
    assert given.grad.dtype == torch.bfloat16 and given.grad.abs().sum() > 0


def leaves_of(value: Any) -> List[Any]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves_of(one)]
    return [value]


def boxes(values: Tensor) -> Dict[str, Any]:
    return dict(
        video_id='clip.mp4',
        timestamp=1,
        pred_instances=dict(bboxes=torch.rand(len(values), 4), scores=values))


def acc(folder: Path) -> AccMetric:
    return AccMetric()


def ava(folder: Path) -> AVAMetric:
    return AVAMetric('', '', '', num_classes=4)


def multisports(folder: Path) -> MultiSportsMetric:
    (folder / 'truth.pkl').write_bytes(pickle.dumps({}))
    return MultiSportsMetric(str(folder / 'truth.pkl'))


def retrieval(folder: Path) -> RetrievalMetric:
    return RetrievalMetric()


@pytest.mark.parametrize('make, sample', [
    (acc, dict(pred_score=scores(4), gt_label=torch.tensor([1]))),
    (acc,
     dict(
         pred_score=dict(rgb=scores(4), pose=scores(4)),
         gt_label=torch.tensor([0, 1, 0, 1]))),
    (ava, boxes(scores(3, 4).sigmoid())),
    (multisports, boxes(scores(3, 4).sigmoid())),
    (retrieval,
     dict(features=dict(video_feature=scores(4), text_feature=scores(4)))),
])
def test_metrics_take_the_same_numbers(tmp_path: Path, make: Callable,
                                       sample: dict) -> None:
    found, expected, host = (make(tmp_path) for _ in range(3))
    before = leaves_of(sample)
    found.process(data_batch=None, data_samples=[sample])
    wide = bfloat16_scores._widener()(sample)
    uncured(type(host), 'process')(expected, None, [wide])
    assert len(found.results) == 1
    np.testing.assert_equal(found.results, expected.results)
    # The user's samples do not change.
    assert all(x is y for x, y in zip(leaves_of(sample), before, strict=True))
    with pytest.raises(TypeError, match=REFUSAL):
        uncured(type(host), 'process')(host, None, [sample])


POST = dict(
    soft_nms_alpha=0.75,
    soft_nms_low_threshold=0.65,
    soft_nms_high_threshold=0.9,
    post_process_top_k=10)
VIDEO = dict(video_name='clip', duration_frame=64, duration_second=4.)


def proposals() -> ActionDataSample:
    sample = ActionDataSample(metainfo=VIDEO)
    sample.gt_instances = InstanceData(
        bsp_feature=torch.rand(3, 8),
        tmin=torch.tensor([0., .1, .2]),
        tmax=torch.tensor([.5, .6, .7]),
        tmin_score=torch.rand(3),
        tmax_score=torch.rand(3))
    return sample


LOCALIZERS = [
    lambda: BMN(
        6,
        0.5,
        2,
        1,
        8,
        hidden_dim_1d=8,
        hidden_dim_2d=8,
        hidden_dim_3d=8,
        **POST),
    lambda: TEM(6, 0.1, 8, 8, 0.5),
    lambda: PEM(8, 8, 1., 1., 0.6, 2.2, **POST),
]


@pytest.mark.parametrize('make', LOCALIZERS, ids=['BMN', 'TEM', 'PEM'])
def test_localizers_predict(make: Callable,
                            monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = make().eval()
    video = [torch.rand(8, 6)]
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        assert model(video, [proposals()], mode='predict')
        monkeypatch.setattr(
            type(model), '_forward', uncured(type(model), '_forward'))
        with pytest.raises(TypeError, match=REFUSAL):
            model(video, [proposals()], mode='predict')


@pytest.mark.parametrize('name', ['ImageClassification', 'NLVR'])
def test_inferencers_of_images(name: str) -> None:
    apis = importlib.import_module('mmpretrain.apis')
    inferencer = getattr(apis, f'{name}Inferencer')
    user = types.SimpleNamespace(classes=None)
    sample = DataSample(metainfo=dict(img_path='a.png'))
    sample.set_pred_score(scores(4))
    found, = inferencer.postprocess(user, [sample], None)
    np.testing.assert_array_equal(found['pred_scores'],
                                  scores(4).float().numpy())
    assert sample.pred_score.dtype == torch.bfloat16
    kept, = inferencer.postprocess(
        user, [sample], None, return_datasamples=True)
    assert kept is sample


def test_inferencer_fails_without_the_cure() -> None:
    finish = ImageClassificationInferencer.postprocess
    while hasattr(finish, '__wrapped__'):
        finish = finish.__wrapped__
    sample = DataSample().set_pred_score(scores(4))
    with pytest.raises(TypeError, match=REFUSAL):
        finish(types.SimpleNamespace(classes=None), [sample], None)


def from_source(name: str, method: str, *classes: str) -> types.ModuleType:
    """Run methods of a host's module without the module's imports.

    Args:
        name (str): Full name of the module.
        method (str): Name of the method.
        *classes (str): The classes with the method.

    Returns:
        ModuleType: The classes, of a single method each.
    """
    host, _, inside = name.partition('.')
    folder = package_dir(host)
    assert folder is not None
    tree = ast.parse((folder / f'{inside.replace(".", "/")}.py').read_text())
    module = types.ModuleType(name)
    vars(module).update(
        torch=torch, np=np, F=torch.nn.functional, rearrange=rearrange)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in classes:
            function = next(
                one for one in node.body
                if isinstance(one, ast.FunctionDef) and one.name == method)
            # The annotations name imports of the module.
            function.returns = None
            for argument in function.args.args:
                argument.annotation = None
            part = ast.Module([function], [])
            exec(compile(part, name, 'exec'), vars(module))
            setattr(module, node.name,
                    type(node.name, (), {method: vars(module).pop(method)}))
    return module


@pytest.mark.parametrize('name', ['RAMNormal', 'RAMOpenset'])
def test_tags_of_ram(name: str) -> None:
    module = from_source('mmpretrain.models.multimodal.ram.ram', 'tag_process',
                         'RAMNormal', 'RAMOpenset')
    model = getattr(module, name)()
    model.class_threshold = torch.full((4, ), 0.5)
    model.num_class, model.delete_tag_index = 4, []
    model.tag_list = np.array(list('abcd'))
    model.tag_list_chinese = np.array(list('efgh'))
    with pytest.raises(TypeError, match=REFUSAL):
        model.tag_process(scores(2, 4))
    bfloat16_scores._cure(module)
    found, expected = (
        model.tag_process(x) for x in (scores(2, 4), scores(2, 4).float()))
    assert found[0] == expected[0]
    np.testing.assert_equal(found[1], expected[1])


def test_choices_of_vindlu() -> None:
    name = 'mmaction.models.multimodal.vindlu.vindlu_ret_mc'
    module = from_source(name, 'predict', 'VindLURetrievalMC')
    model = module.VindLURetrievalMC()
    model.extract_feat = lambda inputs, data_samples: dict(
        text_embeds=None,
        text_attn_mask=None,
        image_embeds=scores(1, 2, 8),
        image_feat=scores(1, 2, 8),
        text_feat=scores(5, 8))
    model.text_encoder = lambda **kwargs: types.SimpleNamespace(
        last_hidden_state=scores(5, 3, 8))
    model.itm_head = lambda x: x[:, :2]
    model.temp, model.score_weight, model.similarity_weight = .1, .7, .3
    sample = types.SimpleNamespace(caption_options=list('abcde'))
    with pytest.raises(TypeError, match=REFUSAL):
        model.predict(torch.rand(1), [sample])
    bfloat16_scores._cure(module)
    found, = model.predict(torch.rand(1), [sample])
    assert found.score.shape == (5, )
    assert found.score.sum() > 0 and found.score.argmax() == found.pred_label
    # Other modules keep torch's own function.
    assert torch.softmax(scores(4), 0).dtype == torch.bfloat16
    assert torch.nn.functional.softmax(
        scores(4), dim=0).dtype == torch.bfloat16


def test_cause_is_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:

    class Array:
        """An array of a torch with or without numpy's bfloat16."""

        def __init__(self, fault: bool) -> None:
            self.fault = fault

        def numpy(self) -> list:
            if self.fault:
                raise TypeError(REFUSAL)
            return [0.]

    for fault, text in ((True, 'torch 9.9 makes no numpy array'), (False, '')):
        fake = types.SimpleNamespace(
            zeros=lambda size, dtype, fault=fault: Array(fault),
            bfloat16=None,
            __version__='9.9')
        monkeypatch.setitem(sys.modules, 'torch', fake)
        cause = bfloat16_scores.WORKAROUND.cause()
        assert text in cause and bool(cause) == fault
