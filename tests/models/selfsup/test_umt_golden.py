"""Student, decoder, loss and the whole step against the golden files."""
import pytest
import torch
from common import GOLDEN_FLOOR, assert_close, golden
from mmengine.registry import init_default_scope
from replaced_draws import DRAWS
from umt_models import golden_decoder, golden_student, golden_teacher, samples

from mmvideomamba.models.selfsup import UMT

STUDENT, STEP = 'masked_pretrain_student', 'masked_pretrain_step'
CASES = golden(STUDENT).config['cases']


def student_and_decoder(case: str, **taps) -> tuple:
    cfg = CASES[case]['model']
    weights = golden(STUDENT).under(f'{case}/sd/')
    return golden_student(cfg, weights, **taps), golden_decoder(cfg, weights)


@pytest.mark.parametrize('case', CASES)
def test_golden_student(case: str) -> None:
    data = golden(STUDENT)
    student, decoder = student_and_decoder(case)
    x = data[f'{case}/in/x'].requires_grad_()
    mask = data[f'{case}/in/mask'][:, 1:]
    levels = student(x, mask)
    out = decoder(levels, mask)
    table = decoder.places[None]
    assert_close(
        table, data[f'{case}/const/clip_pos_embed'], floor=GOLDEN_FLOOR)
    assert_close(
        torch.stack(levels),
        data[f'{case}/out/x_clip_vis'],
        floor=GOLDEN_FLOOR)
    assert_close(out, data[f'{case}/out/x_clip'], floor=GOLDEN_FLOOR)
    (out * data[f'{case}/cot/x_clip']).sum().backward()
    found = {
        k.replace('norm_f.', 'norm.'): p.grad
        for k, p in student.named_parameters()
    }
    found.update({k: p.grad for k, p in decoder.named_parameters()})
    for key, wanted in data.under(f'{case}/grad/').items():
        gradient = x.grad if key == 'x' else found[key]
        if gradient is None:
            assert not wanted.any(), key
            continue
        assert_close(
            gradient, wanted, 'gradient', floor=GOLDEN_FLOOR, name=key)
    untrained = {k for k, g in found.items() if g is None or not g.any()}
    assert untrained == set(CASES[case]['zero_or_absent_grads'])


@pytest.mark.parametrize('case', CASES)
def test_golden_student_with_the_last_block(case: str) -> None:
    """The published path without fused kernels: the last tap has no norm."""
    data = golden(STUDENT)
    student, decoder = student_and_decoder(case, stream_indices=-1)
    mask = data[f'{case}/in/mask'][:, 1:]
    out = decoder(student(data[f'{case}/in/x'], mask), mask)
    assert_close(
        out,
        data[f'{case}/out_without_fused_add_norm/x_clip'],
        floor=GOLDEN_FLOOR)


@pytest.mark.parametrize('kind', ['video', 'image'])
def test_golden_multimodal_student(kind: str) -> None:
    """Tokens of the last block besides the taps, decoder without a norm."""
    data = golden('multimodal_backbone')
    cfg, weights = data.config['model'], data.under('sd/')
    student = golden_student(cfg, weights, out_indices=(-2, -1))
    decoder = golden_decoder(cfg, weights, norm='none')
    mask = data[f'in/{kind}_mask'][:, 1:]
    earlier, tokens, tap = student(data[f'in/{kind}'], mask)
    case = f'cls+avg|{kind}|masked|keep_temporal=False/out/'
    for name, found in (('x_vis', tokens[:, 1:]), ('x_clip',
                                                   decoder([earlier, tap],
                                                           mask))):
        assert_close(found, data[case + name], floor=GOLDEN_FLOOR, name=name)


def test_normed_tap_trains_every_parameter() -> None:
    data = golden(STUDENT)
    student, decoder = student_and_decoder(
        'one_layer', out_indices=-1, stream_indices=())
    mask = data['one_layer/in/mask'][:, 1:]
    # The sum of a normalised output has no gradient.
    decoder(student(data['one_layer/in/x'], mask),
            mask).pow(3).sum().backward()
    for name, parameter in student.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def golden_umt(loss: dict, mask_source: str = 'attention') -> UMT:
    """Build the whole model of the golden step."""
    init_default_scope('mmaction')
    data = golden(STEP)
    cfg, weights = data.config, data.under('student_sd/')
    assert cfg['teacher']['clip_return_cls']
    return UMT(
        backbone=golden_student(cfg['student'], weights),
        neck=golden_decoder(cfg['student'], weights),
        target_generator=golden_teacher(
            cfg['teacher'],
            data.under('teacher_sd/'),
            norm=cfg['teacher']['clip_norm_type']),
        head=dict(
            type='mmpretrain.MIMHead',
            loss=dict(type='mmvideomamba.AlignmentLoss', **loss)),
        mask_source=mask_source,
        mask_ratio=cfg['mask_ratio'],
        data_preprocessor=dict(type='mmaction.ActionDataPreprocessor'))


@pytest.fixture
def drawn(monkeypatch) -> None:
    """Let the recorded order stand in for the generator's."""
    data = golden(STEP)

    def draw(weights: torch.Tensor, count: int) -> torch.Tensor:
        assert_close(weights, data['attention/attn'], floor=GOLDEN_FLOOR)
        assert count == weights.shape[1]
        return data['attention/importance']

    for name in DRAWS:
        monkeypatch.setattr(name, draw)


@pytest.mark.parametrize(
    'case', [c for c in golden(STEP).config['cases'] if 'attention' in c])
def test_golden_step_with_attention_mask(case: str, drawn) -> None:
    data = golden(STEP)
    cfg = data.config['cases'][case]
    model = golden_umt(
        dict(kind=cfg['clip_loss_type'], loss_weight=cfg['clip_loss_ratio']))
    x = data['in/x']
    student, targets = model.align(x)
    assert torch.equal(targets.mask, data['attention/mask'][:, 1:])
    for name, value in (('student_out', student),
                        ('targets', targets.features), ('attn',
                                                        targets.attention)):
        assert_close(
            value, data[f'attention/{name}'], floor=GOLDEN_FLOOR, name=name)
    assert_close(
        model.target_generator(x).features,
        data['attention/teacher_features'],
        floor=GOLDEN_FLOOR)
    # Batches of mmaction2's pipelines: one clip per sample.
    loss = model(x.unsqueeze(1), mode='loss')['loss']
    assert_close(loss, data[f'{case}/loss'], floor=GOLDEN_FLOOR)
    loss.backward()
    names = {'norm_f.weight': 'norm.weight'}
    found = {
        names.get(k, k): p.grad
        for part in (model.backbone, model.neck)
        for k, p in part.named_parameters()
    }
    for key, wanted in data.under(f'{case}/grad/').items():
        assert_close(
            found[key], wanted, 'gradient', floor=GOLDEN_FLOOR, name=key)
    absent = {k for k, g in found.items() if g is None}
    assert absent == {
        *cfg['params_without_gradient'], *cfg['params_with_zero_gradient']
    }


def test_golden_step_with_mask_of_the_data() -> None:
    data = golden(STEP)
    model = golden_umt(dict(kind='l2'), mask_source='data')
    masks = samples(data['random/mask'][:, 1:].numpy())
    student, targets = model.align(data['in/x'], masks)
    assert_close(student, data['random/student_out'], floor=GOLDEN_FLOOR)
    assert_close(targets.features, data['random/targets'], floor=GOLDEN_FLOOR)
    loss = model.loss(data['in/x'], masks)['loss']
    assert_close(loss, data['random_l2/loss'], floor=GOLDEN_FLOOR)
