import pytest
import torch
from common import assert_close
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS as ROOT
from torch import nn
from umt_models import STUDENT_CFG, samples, tiny_umt

from mmvideomamba.models import VideoMamba
from mmvideomamba.models.masking import CLIPTeacher


def test_only_visible_tokens_enter_the_mixers() -> None:
    model = tiny_umt()
    lengths = []
    for layer in model.backbone.layers:
        layer.mixer.register_forward_pre_hook(
            lambda _, args: lengths.append(args[0].shape[1]))
    model.loss(torch.randn(2, 3, 4, 32, 32), None)
    visible = 1 + 4 * (16 - int(16 * 0.8))
    # The last of three blocks is not asked for.
    assert lengths == [visible] * 2


@pytest.mark.parametrize('levels', [1, 2])
def test_several_levels(levels: int) -> None:
    model = tiny_umt(dict(num_levels=levels), dict(num_levels=levels))
    model.backbone.out_indices = [1][:levels - 1]
    loss = model.loss(torch.randn(2, 3, 4, 32, 32), None)['loss']
    assert 0 < loss < 4


def test_teacher_of_a_finer_patch_but_the_same_grid() -> None:
    """A student of 16 px patches at 64 px, as B/16 is replaced by L/14."""
    student = dict(STUDENT_CFG, img_size=64, patch_size=16)
    model = tiny_umt(backbone=student)
    assert model.loss(torch.randn(1, 3, 4, 64, 64), None)['loss'] > 0


class OwnTeacher(nn.Module):
    """Another teacher with the same interface, with trainable weights."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3, 12), nn.BatchNorm1d(12), nn.Dropout(0.5))

    def forward(self, clips: torch.Tensor) -> tuple:
        b, c, t, _, _ = clips.shape
        patches = clips.unfold(3, 8, 8).unfold(4, 8, 8).mean((5, 6))
        patches = patches.view(b, c, -1).transpose(1, 2)
        tokens = torch.cat([patches.mean(1, keepdim=True), patches], dim=1)
        features = self.net(tokens.flatten(0, 1)).view(1, b, -1, 12)
        return features, torch.rand(t * b, 16)


def test_any_teacher_with_the_same_interface() -> None:
    model = tiny_umt(target_generator=OwnTeacher())
    loss = model.loss(torch.randn(2, 3, 4, 32, 32), None)['loss']
    assert 0 < loss < 4


def test_any_teacher_is_frozen_and_in_evaluation_mode() -> None:
    model = tiny_umt(target_generator=OwnTeacher())
    teacher = model.target_generator
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    wrapper = build_optim_wrapper(
        model, dict(optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.1)))
    assert model.train() is model
    assert model.training and model.backbone.training
    assert not any(m.training for m in teacher.modules())
    assert not any(p.requires_grad for p in teacher.parameters())
    x = torch.randn(2, 3, 4, 32, 32)
    assert torch.equal(teacher(x)[0], teacher(x)[0])
    wrapper.backward(model.loss(x, None)['loss'])
    wrapper.step()
    # The teacher stays: no gradient, weight decay or batch statistics.
    for key, value in teacher.state_dict().items():
        assert torch.equal(value, before[key]), key
    trained = {n for n, p in model.named_parameters() if p.grad is not None}
    wanted = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained == wanted  # DDP waits for gradients of all these
    assert not model.eval().backbone.training


def test_student_has_the_published_output_by_default() -> None:
    model = tiny_umt(backbone=STUDENT_CFG)
    assert list(model.backbone.out_indices) == []
    assert list(model.backbone.stream_indices) == [1]
    assert not model.backbone.norm_f.weight.requires_grad
    assert 'out_indices' not in STUDENT_CFG
    model = tiny_umt(backbone=dict(STUDENT_CFG, out_indices=-1))
    assert list(model.backbone.out_indices) == [2]
    assert list(model.backbone.stream_indices) == []
    model = tiny_umt(
        backbone=dict(STUDENT_CFG, out_indices=(), stream_indices=0))
    assert list(model.backbone.stream_indices) == [0]


def test_levels_at_a_fractional_interval() -> None:
    """The example of configs/pretraining/README.md."""
    sizes = dict(width=8, num_heads=1, patch_size=8, out_channels=4)
    teacher = CLIPTeacher(
        dict(sizes, num_layers=32),
        img_size=16,
        num_levels=3,
        level_interval=1.5)
    assert teacher.levels == [28, 30, 31]
    cfg = dict(STUDENT_CFG, arch=dict(embed_dims=16, num_layers=32))
    student = ROOT.build(dict(cfg, out_indices=(28, 30), stream_indices=30))
    whole = ROOT.build(dict(cfg, out_indices=range(32)))
    whole.load_state_dict(student.state_dict())
    x = torch.randn(1, 3, 4, 32, 32)
    early, late, stream = student.eval()(x)
    blocks = whole.eval()(x)
    assert_close(early, blocks[28])
    assert_close(late, blocks[30])
    # The last level: before block 31, and not normed.
    assert_close(student.norm_f(stream)[0], blocks[30])
    assert not torch.allclose(stream, late)


def test_decoder_of_another_width() -> None:
    with pytest.raises(
            ValueError, match='embed_dims=16, but .*in_channels=24; set'):
        tiny_umt(decoder=dict(in_channels=24))


def test_mixed_precision() -> None:
    model = tiny_umt()
    x = torch.randn(2, 3, 4, 32, 32)
    torch.manual_seed(1)
    wanted = model.loss(x, None)['loss']
    torch.manual_seed(1)
    with torch.autocast('cpu', torch.bfloat16):
        found = model.loss(x, None)['loss']
    assert found.dtype == torch.float32
    assert abs(found - wanted) < 0.1 * wanted
    found.backward()
    for name, parameter in model.backbone.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.isfinite().all(), name


def test_what_is_never_trained_is_frozen() -> None:
    """Parameters without gradient are frozen, as DDP requires."""
    model = tiny_umt()
    model.loss(torch.randn(2, 3, 4, 32, 32), None)['loss'].backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert 'backbone.norm_f.weight' in frozen
    assert 'backbone.layers.2.norm.weight' in frozen
    assert 'backbone.layers.1.norm.weight' not in frozen


def test_frozen_teacher_is_not_optimised() -> None:
    model = tiny_umt()
    before = {
        k: v.clone()
        for k, v in model.target_generator.state_dict().items()
    }
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model.train()
    model.loss(torch.randn(2, 3, 4, 32, 32), None)['loss'].backward()
    optimizer.step()
    for key, value in model.target_generator.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_checkpoint_fills_a_fine_tuned_model() -> None:
    """Decoder and teacher are left out, the temporal embedding resized."""
    model = tiny_umt()
    with torch.no_grad():
        model.backbone.temporal_pos_embedding.normal_()
        model.backbone.norm_f.weight.fill_(0.5)
    longer = VideoMamba(
        arch=dict(embed_dims=16, num_layers=3),
        img_size=32,
        patch_size=8,
        num_frames=16)
    longer.load_state_dict(model.state_dict())
    for key, value in longer.state_dict().items():
        wanted = model.backbone.state_dict()[key]
        if key == 'temporal_pos_embedding':
            wanted = torch.nn.functional.interpolate(
                wanted.transpose(1, 2), size=16,
                mode='linear').transpose(1, 2)
        assert torch.equal(value, wanted), key


def test_tensor_mode_gives_the_features_of_the_whole_clip() -> None:
    model = tiny_umt().eval()
    x = torch.randn(2, 3, 4, 32, 32)
    feature, = model(x.unsqueeze(1))
    assert feature.shape == (2, 65, 16)
    assert torch.equal(feature, model.backbone(x)[0])


def test_explain() -> None:
    model = tiny_umt().eval()
    x = torch.randn(2, 3, 4, 32, 32)
    found = model.explain(x)
    shape = (2, 4, 4, 4)
    assert found.mask.shape == found.similarity.shape == shape
    assert (found.mask.flatten(2).sum(-1) == 12).all()
    assert torch.equal(found.similarity.isnan(), found.mask)
    assert found.similarity[~found.mask].abs().max() <= 1
    assert_close(
        found.attention.flatten(2).flatten(0, 1),
        model.target_generator(x).attention)
    whole = model.explain(x, masked=False)
    assert not whole.mask.any() and not whole.similarity.isnan().any()


@pytest.mark.parametrize('change,text', [
    (dict(mask_ratio=None), 'mask_ratio must be a number .*got None'),
    (dict(mask_ratio='0.8'), "mask_ratio must be a number .*got '0.8'"),
    (dict(mask_ratio=0.01), 'mask_ratio=0.01 leaves every one of the 16'),
    (dict(mask_ratio=1.), 'mask_ratio=1.0 leaves no one of the 16'),
    (dict(mask_source='tube'), "mask_source .*'attention', 'data'.*'tube'"),
])
def test_bad_arguments(change: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        tiny_umt(**change)


def test_student_must_return_all_tokens() -> None:
    with pytest.raises(ValueError, match="out_type='raw'.*'cls_token'"):
        tiny_umt(backbone=dict(STUDENT_CFG, out_type='cls_token'))


CLIPS = torch.zeros(2, 3, 4, 32, 32)


@pytest.mark.parametrize('parts,text', [
    (dict(teacher=dict(tubelet_size=2)),
     r'33 tokens per clip.*16 patches.*grid of 4 x 4 x 4'),
    (dict(teacher=dict(with_cls_token=False)), 'with_cls_token=True'),
    (dict(decoder=dict(out_channels=8)), '8 channels.*12'),
    (dict(decoder=dict(num_levels=2)), '1 levels.*num_levels=2'),
    (dict(teacher=dict(num_levels=2)), '1 levels .*2 of 12'),
])
def test_parts_that_do_not_fit(parts: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        tiny_umt(**parts).loss(CLIPS, None)


def test_teacher_of_another_grid() -> None:
    model = tiny_umt(backbone=dict(STUDENT_CFG, patch_size=16))
    with pytest.raises(ValueError, match='grid of 4 x 2 x 2.*img_size'):
        model.loss(CLIPS, None)


def keep(*counts) -> list:
    masks = torch.ones(len(counts), 64, dtype=torch.bool)
    for mask, count in zip(masks, counts):
        mask[:count] = False
    return samples(masks)


@pytest.mark.parametrize('data_samples,text', [
    (None, 'TokenMask'),
    (samples([None, None]), 'TokenMask'),
    (keep(3, 4), r'number of tokens, but the masks keep \[3, 4\]'),
    (keep(0, 0), 'keep 0 of 64'),
    (keep(64, 64), 'keep 64 of 64'),
    (samples(torch.zeros(2, 16, dtype=torch.bool)), r'shape \(16,\).*64'),
    (samples(torch.zeros(2, 64)), 'torch.float32'),
])
def test_bad_masks_of_the_data(data_samples: list, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        tiny_umt(mask_source='data').loss(CLIPS, data_samples)


def test_bad_masks_do_not_reach_the_device() -> None:
    """Bad masks are refused on the CPU, before a step may be captured."""
    model = tiny_umt(mask_source='data')
    batch = dict(inputs=[*CLIPS], data_samples=keep(3, 4))
    with pytest.raises(
            ValueError, match='number of tokens, but the masks keep'):
        model.data_preprocessor(batch, True)


def test_positions_and_mask_alone_give_the_same() -> None:
    """To the bit: the masks of the data, with and without positions."""
    model = tiny_umt(mask_source='data')
    found = []
    for data_samples in (keep(20, 20), keep(20, 20)):
        if found:
            batch = dict(inputs=[*CLIPS], data_samples=data_samples)
            data_samples = model.data_preprocessor(batch, True)['data_samples']
            for sample in data_samples:
                del sample.mask
        found.append(model.loss(CLIPS, data_samples)['loss'])
    assert torch.equal(*found)


def test_several_clips_per_sample() -> None:
    with pytest.raises(ValueError, match='one clip per sample, but got 2'):
        tiny_umt().loss(torch.zeros(1, 2, 3, 4, 32, 32), None)


def test_teacher_that_no_loss_asks(mm_log: list) -> None:
    tiny_umt()
    assert not [line for line in mm_log if 'used by no loss' in line]
    loss = dict(type='mmvideomamba.AlignmentLoss', loss_weight=0)
    tiny_umt(head=dict(type='mmpretrain.MIMHead', loss=loss))
    line, = [line for line in mm_log if 'used by no loss' in line]
    assert 'UMT' in line and 'loss_weight=0' in line
