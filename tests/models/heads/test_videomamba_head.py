import re

import pytest
import torch
from common import (GOLDEN_FLOOR, assert_close, golden, official_weights,
                    small_backbone)
from mmaction.evaluation import AccMetric
from mmaction.models.heads import BaseHead
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint, save_checkpoint
from torch.nn.functional import binary_cross_entropy_with_logits

from mmvideomamba.models import VideoMambaHead
from mmvideomamba.registry import MODELS


@pytest.fixture(autouse=True)
def scope():
    """Losses are found in the host's registry."""
    init_default_scope('mmaction')


def samples(labels):
    return [ActionDataSample().set_gt_label(int(i)) for i in labels]


def make_recognizer(classes=5, backbone=None, head=None):
    """Build a recognizer as a config would."""
    return MODELS.build(
        dict(
            type='mmaction.Recognizer3D',
            backbone={
                **dict(
                    type='mmvideomamba.VideoMamba',
                    arch=dict(embed_dims=16, num_layers=2),
                    img_size=16,
                    patch_size=8,
                    num_frames=4,
                    drop_path_rate=0.),
                **(backbone or {})
            },
            cls_head={
                **dict(
                    type='mmvideomamba.VideoMambaHead',
                    num_classes=classes,
                    in_channels=16,
                    average_clips='prob'),
                **(head or {})
            },
            data_preprocessor=dict(
                type='mmaction.ActionDataPreprocessor',
                mean=[0., 0., 0.],
                std=[1., 1., 1.],
                format_shape='NCTHW')))


def identity_head(classes, average):
    """Return a head with the identity as classifier."""
    head = VideoMambaHead(
        num_classes=classes, in_channels=classes, average_clips=average)
    with torch.no_grad():
        head.fc_cls.weight.copy_(torch.eye(classes))
        head.fc_cls.bias.zero_()
    return head.eval()


def test_golden_view_merging():
    data = golden('view_merging')
    logits, labels = data['in/logits'], data['in/labels']
    head = identity_head(logits.shape[-1], 'prob')
    with torch.no_grad():
        found = head.predict((logits.flatten(0, 2), ), samples(labels))
    scores = torch.stack([s.pred_score for s in found])
    assert_close(scores, data['out/mean_probs'], floor=GOLDEN_FLOOR)
    predictions = torch.stack([s.pred_label for s in found]).flatten()
    assert torch.equal(predictions, data['out/pred'])
    metric = AccMetric(metric_options=dict(top_k_accuracy=dict(topk=(1, 5))))
    metric.process(None, [s.to_dict() for s in found])
    figures = metric.compute_metrics(metric.results)
    assert figures['top1'] * 100 == pytest.approx(data.config['top1'])
    assert figures['top5'] * 100 == pytest.approx(data.config['top5'])
    top5 = scores.topk(5).indices.eq(labels[:, None]).any(1)
    assert torch.equal(top5.float(), data['out/top5_hit'])
    hits = predictions.eq(labels).float()
    assert torch.equal(hits, data['out/top1_hit'])


def test_golden_regression_merging():
    data = golden('view_merging')
    outputs = data['in/regression_outputs']
    head = identity_head(1, 'score')
    with torch.no_grad():
        found = head.predict((outputs.reshape(-1, 1), ), samples([0] * 6))
    merged = torch.stack([s.pred_score for s in found])[:, 0]
    error = (merged - data['in/regression_targets']).square().mean()
    assert abs(error - data['out/regression_mse']) <= 1e-4


def test_last_feature_is_classified():
    head = VideoMambaHead(num_classes=3, in_channels=4)
    x = torch.randn(2, 4)
    wanted = x @ head.fc_cls.weight.T + head.fc_cls.bias
    assert_close(head((torch.zeros(2, 4), x)), wanted)


@pytest.mark.parametrize('shape', [(2, 5, 4), (2, 4, 1, 2, 2)])
def test_tokens_and_maps_are_refused(shape):
    head = VideoMambaHead(num_classes=3, in_channels=4)
    with pytest.raises(ValueError, match=r"\(b, c\), but .*'avg_featmap' in"):
        head((torch.zeros(shape), ))


def test_start():
    head = VideoMambaHead(num_classes=400, in_channels=192)
    assert abs(head.fc_cls.weight.std() - 0.02) < 5e-4
    assert not head.fc_cls.bias.any()
    wide = VideoMambaHead(num_classes=400, in_channels=192, init_std=0.1)
    wide.init_weights()
    assert abs(wide.fc_cls.weight.std() - 0.1) < 5e-3


def test_dropout_only_in_training():
    head = VideoMambaHead(num_classes=3, in_channels=64, dropout_ratio=0.5)
    x = (torch.randn(2, 64), )
    assert not torch.equal(head.train()(x), head(x))
    assert torch.equal(head.eval()(x), head(x))


def test_loss_and_prediction_through_a_recognizer():
    model = make_recognizer().train()
    data = dict(
        inputs=[torch.randint(0, 255, (2, 3, 4, 16, 16)) for _ in range(3)],
        data_samples=samples([0, 4, 2]))
    data = model.data_preprocessor(data, training=True)
    # Training flattens the views into the batch.
    one_view = [x[:1] for x in data['inputs']]
    losses = model(
        torch.stack(one_view).float(), data['data_samples'], mode='loss')
    assert losses['loss_cls'].requires_grad
    losses['loss_cls'].backward()
    assert all(p.grad is not None for p in model.parameters())
    model.eval()
    with torch.no_grad():
        found = model(
            data['inputs'].float(), data['data_samples'], mode='predict')
    assert len(found) == 3
    for sample in found:
        assert sample.pred_score.sum().item() == pytest.approx(1., abs=1e-5)


@pytest.mark.parametrize('label', [5, 400, -1])
def test_label_out_of_range(label):
    head = VideoMambaHead(num_classes=5, in_channels=4)
    x = (torch.randn(2, 4), )
    head.loss(x, samples([0, 4]))
    with pytest.raises(
            ValueError,
            match=re.escape(f'label [{label}] is out of range for '
                            'num_classes=5; correct the annotation file')):
        head.loss(x, samples([0, label]))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    """The host counts hits in numpy, and numpy has no bfloat16."""
    head = VideoMambaHead(num_classes=5, in_channels=4)
    x = (torch.randn(2, 4), )
    wanted = head.loss(x, samples([0, 4]))
    with torch.autocast('cpu', dtype):
        found = head.loss(x, samples([0, 4]))
    assert found['loss_cls'].item() == pytest.approx(
        wanted['loss_cls'].item(), rel=0.02)
    assert found.keys() == wanted.keys()


def test_accuracies_are_those_of_the_host():
    head = VideoMambaHead(num_classes=7, in_channels=4, topk=(1, 3, 9))
    for count in (1, 2, 30):
        scores = torch.randn(count, 7)
        labels = torch.randint(7, (count, ))
        found = head.loss_by_feat(scores, samples(labels))
        wanted = BaseHead.loss_by_feat(head, scores, samples(labels))
        assert list(found) == list(wanted)
        for key, value in wanted.items():
            assert found[key].dtype == value.dtype
            assert torch.equal(found[key], value)


@pytest.mark.parametrize('classes, topk', [(3, (1, )), (5, (1, )), (6, (1, 5)),
                                           (1, (1, ))])
def test_accuracies_that_say_something(classes: int, topk: tuple) -> None:
    """The label is always among the best k of k classes."""
    head = VideoMambaHead(num_classes=classes, in_channels=4)
    losses = head.loss_by_feat(torch.randn(2, classes), samples([0, 0]))
    assert [f'top{k}_acc'
            for k in topk] == [key for key in losses if key.startswith('top')]


def test_equal_scores():
    """The last of equal classes counts as the best."""
    head = VideoMambaHead(num_classes=4, in_channels=4, topk=(1, 2))
    scores = torch.tensor([[1., 3., 3., 0.]]).expand(4, -1)
    losses = head.loss_by_feat(scores, samples(range(4)))
    assert [losses[f'top{k}_acc'] for k in (1, 2)] == [0.25, 0.5]
    losses = head.loss_by_feat(scores[:1], samples([2]))
    assert losses['top1_acc'] == 1


@pytest.mark.parametrize('classes', [1, 3])
@pytest.mark.parametrize('count', [1, 2])
@pytest.mark.parametrize('smooth', [0., 0.1])
def test_losses_are_those_of_the_host(classes, count, smooth):
    """Losses equal the host's for indices and soft labels, also of 1 class."""
    head = VideoMambaHead(
        num_classes=classes, in_channels=4, label_smooth_eps=smooth)
    scores = torch.randn(count, classes)
    hard = samples(torch.randint(classes, (count, )))
    soft = [ActionDataSample(gt_label=torch.rand(classes)) for _ in hard]
    for labels in [hard] if classes == 1 else [hard, soft]:
        found = head.loss_by_feat(scores, labels)
        wanted = BaseHead.loss_by_feat(head, scores, labels)
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            assert torch.equal(found[key], value), key


def test_a_single_class_with_a_probability():
    """The host takes the label for the index of a class, and fails."""
    head = VideoMambaHead(1, 4, dict(type='BCELossWithLogits'), True)
    scores = torch.randn(3, 1)
    labels = torch.tensor([[1.], [0.], [1.]])
    losses = head.loss_by_feat(scores,
                               [ActionDataSample(gt_label=x) for x in labels])
    wanted = binary_cross_entropy_with_logits(scores, labels)
    assert losses == dict(loss_cls=wanted)


def test_weights_of_classes_follow_the_scores():
    """Class weights are copied to the device once, not in each step."""
    loss = dict(type='CrossEntropyLoss', class_weight=[1., 2., 3.])
    head = VideoMambaHead(3, 4, loss)
    assert head.loss_cls.class_weight.device.type == 'cpu'
    labels = [ActionDataSample(gt_label=torch.zeros(1, device='meta').long())]
    for _ in range(2):
        head.loss_by_feat(torch.zeros(1, 3, device='meta'), labels)
        assert head.loss_cls.class_weight.device.type == 'meta'
        kept = head.loss_cls.class_weight
    assert head.loss_cls.class_weight is kept


def test_soft_labels():
    head = VideoMambaHead(num_classes=3, in_channels=4)
    soft = [
        ActionDataSample(gt_label=torch.tensor([0.5, 0.25, 0.25]))
        for _ in range(2)
    ]
    x = torch.randn(2, 4)
    loss = head.loss((x, ), soft)['loss_cls']
    log = head((x, )).log_softmax(-1)
    wanted = -(log * torch.tensor([0.5, 0.25, 0.25])).sum(-1).mean()
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-6)


PREFIXES = ['head.', 'fc_cls.']


@pytest.mark.parametrize('prefix', PREFIXES)
@pytest.mark.parametrize('case', ['head_710to400', 'head_710to600'])
def test_golden_larger_head(case, prefix):
    data = golden('checkpoint_adaptation')
    label_map = None
    if case == 'head_710to600':
        label_map = data[f'{case}/in/label_map'].tolist()
    wanted = data.under(f'{case}/out/head.')
    head = VideoMambaHead(
        num_classes=len(wanted['bias']), in_channels=6, label_map=label_map)
    source = data.under('head_710to400/in/')
    source = {k.replace('head.', prefix): v for k, v in source.items()}
    head.load_state_dict(source)
    assert torch.equal(head.fc_cls.weight.data, wanted['weight'])
    assert torch.equal(head.fc_cls.bias.data, wanted['bias'])


@pytest.mark.parametrize('wrapped', [None, 'model', 'module'])
def test_published_head(wrapped):
    weights = official_weights(small_backbone(), classes=5)
    head = VideoMambaHead(num_classes=5, in_channels=16)
    head.load_state_dict({wrapped: weights} if wrapped else weights)
    assert torch.equal(head.fc_cls.weight.data, weights['head.weight'])
    assert torch.equal(head.fc_cls.bias.data, weights['head.bias'])


def test_pretrained_head_file(tmp_path):
    path = str(tmp_path / 'file.pth')
    weights = official_weights(small_backbone(), classes=5)
    torch.save(dict(model=weights), path)
    pretrained = dict(type='Pretrained', checkpoint=path)
    model = make_recognizer(
        backbone=dict(init_cfg=pretrained), head=dict(init_cfg=pretrained))
    model.init_weights()
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert torch.equal(model.cls_head.fc_cls.weight, weights['head.weight'])


def test_backbone_file_leaves_the_head_fresh(tmp_path):
    path = str(tmp_path / 'file.pth')
    weights = official_weights(small_backbone(), classes=7)
    torch.save(weights, path)
    model = make_recognizer(
        backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=path)))
    model.init_weights()
    assert torch.equal(model.backbone.cls_token, weights['cls_token'])
    assert 0 < model.cls_head.fc_cls.weight.std() < 0.05


def test_own_checkpoint(tmp_path):
    """A checkpoint saved by mmengine loads, also at another size."""
    path = str(tmp_path / 'epoch_1.pth')
    model = make_recognizer()
    for parameter in model.parameters():
        parameter.data.normal_(std=0.1)
    save_checkpoint(dict(state_dict=model.state_dict()), path)
    again = make_recognizer()
    load_checkpoint(again, path, strict=True)
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    larger = make_recognizer(backbone=dict(img_size=32, num_frames=8))
    load_checkpoint(larger, path, strict=True)
    assert torch.equal(larger.cls_head.fc_cls.weight,
                       model.cls_head.fc_cls.weight)
    assert torch.equal(larger.backbone.cls_token, model.backbone.cls_token)
    init_cfg = dict(type='Pretrained', checkpoint=path, prefix='backbone.')
    transferred = make_recognizer(7, backbone=dict(init_cfg=init_cfg))
    transferred.init_weights()
    assert torch.equal(transferred.backbone.norm_f.weight,
                       model.backbone.norm_f.weight)


def test_load_from_other_classes(tmp_path):
    path = str(tmp_path / 'epoch_1.pth')
    save_checkpoint(dict(state_dict=make_recognizer(5).state_dict()), path)
    with pytest.raises(
            ValueError,
            match='the checkpoint classifies 5 classes from 16 channels, but '
            'the head is built for 7 classes from 16.*init_cfg'):
        load_checkpoint(make_recognizer(7), path)


def test_load_from_a_published_file(tmp_path):
    path = str(tmp_path / 'file.pth')
    weights = official_weights(small_backbone())
    torch.save(weights, path)
    model = make_recognizer()
    load_checkpoint(model, path)
    assert torch.equal(model.backbone.cls_token, weights['cls_token'])
    assert torch.equal(model.cls_head.fc_cls.weight, weights['head.weight'])


def test_load_from_a_trunk_without_head(tmp_path):
    path = str(tmp_path / 'file.pth')
    weights = {
        f'backbone.{k}': v
        for k, v in small_backbone().state_dict().items()
    }
    save_checkpoint(dict(state_dict=weights), path)
    model = make_recognizer()
    load_checkpoint(model, path)
    assert torch.equal(model.backbone.cls_token, weights['backbone.cls_token'])


BAD_HEADS = [
    (dict(), {'head.weight': torch.zeros(5, 16)}, 'head.bias'),
    (dict(), {'cls_token': torch.zeros(1, 1, 16)},
     'the checkpoint has no head: neither fc_cls.* nor head.*'),
    (dict(), {'head.weight': torch.zeros(6, 16), 'head.bias': torch.zeros(6)},
     'classifies 6 classes from 16 channels'),
    (dict(), {'head.weight': torch.zeros(5, 8), 'head.bias': torch.zeros(5)},
     'classifies 5 classes from 8 channels'),
    (dict(label_map=[0, 1, 2, 3, 9]),
     {'fc_cls.weight': torch.zeros(8, 16), 'fc_cls.bias': torch.zeros(8)},
     'label_map'),
]  # yapf: disable


@pytest.mark.parametrize('kwargs,weights,message', BAD_HEADS)
def test_heads_that_do_not_fit(kwargs, weights, message):
    head = VideoMambaHead(num_classes=5, in_channels=16, **kwargs)
    with pytest.raises(ValueError, match=re.escape(message)):
        head.load_state_dict(weights)


def test_bad_label_map():
    with pytest.raises(ValueError, match='label_map has 2 rows for 5 classes'):
        VideoMambaHead(num_classes=5, in_channels=4, label_map=[0, 1])


def test_head_of_another_width():
    # The wrong in_channels shows at the first clip.
    model = make_recognizer(head=dict(in_channels=32)).eval()
    with pytest.raises((ValueError, RuntimeError), match='16.*32'):
        model(torch.zeros(1, 1, 3, 4, 16, 16), mode='tensor', stage='head')


@pytest.mark.parametrize('prefix', PREFIXES)
def test_changes_of_the_head_are_logged(mm_log, prefix):
    source = golden('checkpoint_adaptation').under('head_710to400/in/head.')
    head = VideoMambaHead(num_classes=400, in_channels=6)
    head.load_state_dict({prefix + k: v for k, v in source.items()})
    for name, shapes in (('weight', '(710, 6) -> (400, 6)'),
                         ('bias', '(710,) -> (400,)')):
        assert any(prefix + name in line and shapes in line
                   for line in mm_log), name


@pytest.mark.parametrize('average', ['prob', 'score'])
def test_several_classes_of_a_video(average):
    head = VideoMambaHead(
        num_classes=3,
        in_channels=4,
        multi_class=True,
        average_clips=average,
        loss_cls=dict(type='BCELossWithLogits'))
    labels = torch.tensor([[1., 0, 1], [0, 0, 0]])
    data = [ActionDataSample(gt_label=label) for label in labels]
    x = torch.randn(2, 4)
    loss = head.loss((x, ), data)['loss_cls']
    wanted = torch.nn.functional.binary_cross_entropy(
        head((x, )).sigmoid(), labels)
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-6)
    one = head.loss((x[:1], ), data[:1])['loss_cls']
    scores = head((x[:1], )).sigmoid()
    assert one.item() == pytest.approx(
        torch.nn.functional.binary_cross_entropy(scores, labels[:1]).item(),
        abs=1e-6)
    views = torch.randn(6, 4)
    found = head.predict((views, ), data)
    each = head((views, )).unflatten(0, (2, 3))
    each = each.sigmoid() if average == 'prob' else each
    for sample, wanted in zip(found, each.mean(1)):
        assert_close(sample.pred_score, wanted)


def test_several_classes_need_their_loss():
    with pytest.raises(ValueError, match='BCELossWithLogits'):
        VideoMambaHead(num_classes=3, in_channels=4, multi_class=True)
