from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS as ROOT
from umt_models import tiny_umt

from mmvideomamba.models.masking import CachedTeacher, CLIPTeacher

TINY = dict(
    type='mmvideomamba.CLIPTeacher',
    arch=dict(
        width=16, num_layers=2, num_heads=2, patch_size=8, out_channels=12),
    img_size=16)
CLIPS = torch.arange(2 * 3 * 2 * 16 * 16).view(2, 3, 2, 16, 16).sin()


def build(folder: Path, weights: dict = None, **kwargs) -> CachedTeacher:
    teacher = dict(TINY, **kwargs.pop('teacher', {}))
    model = CachedTeacher(teacher, str(folder), **kwargs)
    if weights is not None:
        model.load_state_dict(weights)
    calls = model.calls = []
    model.teacher.ln_pre.register_forward_hook(
        lambda _, args, out: calls.append(len(out) // 2))  # clips
    return model


def files(folder: Path) -> list:
    return sorted(folder.rglob('*.pt'))


def test_second_look_is_read(tmp_path: Path) -> None:
    model = build(tmp_path)
    wanted = model.teacher(CLIPS)
    model.calls.clear()
    for _ in range(2):
        found = model(CLIPS)
        assert torch.equal(found.features, wanted.features)
        assert torch.equal(found.attention, wanted.attention)
    assert model.calls == [2]
    assert (model.hits, model.misses) == (2, 2)
    assert len(files(tmp_path)) == 2


def test_another_process_finds_them(tmp_path: Path) -> None:
    first = build(tmp_path)
    wanted = first(CLIPS)
    second = build(tmp_path, first.state_dict())
    assert torch.equal(second(CLIPS).features, wanted.features)
    assert second.calls == []


def test_new_clips_of_a_batch_alone_are_computed(tmp_path: Path) -> None:
    model = build(tmp_path)
    model(CLIPS[:1])
    mixed = model(CLIPS.flip(0))
    assert model.calls == [1, 1]
    alone = [model.teacher(clip[None]) for clip in CLIPS.flip(0)]
    torch.testing.assert_close(mixed.features,
                               torch.cat([a.features for a in alone], 1))
    torch.testing.assert_close(mixed.attention,
                               torch.cat([a.attention for a in alone]))


@pytest.mark.parametrize(
    'change',
    ['pixels', 'weights', 'settings', 'dtype of the cache', 'autocast'])
def test_nothing_wrong_is_ever_read(tmp_path: Path, change: str) -> None:
    model = build(tmp_path)
    model(CLIPS)
    weights, clips, cfg = model.state_dict(), CLIPS.clone(), dict()
    if change == 'pixels':
        clips[:, 0, 0, 0, 0] += 1e-6
    elif change == 'weights':
        weights['teacher.ln_post.bias'] = weights['teacher.ln_post.bias'] + 1
    elif change == 'settings':
        cfg = dict(teacher=dict(norm='none'))
    elif change == 'dtype of the cache':
        cfg = dict(dtype='float16')
    other = build(tmp_path, weights, **cfg)
    with torch.autocast('cpu', torch.bfloat16, enabled=change == 'autocast'):
        other(clips)
    assert other.calls == [2]


def test_weights_that_are_loaded_later(tmp_path: Path) -> None:
    model = build(tmp_path)
    model(CLIPS)
    changed = {k: v + 0.1 for k, v in model.state_dict().items()}
    model.load_state_dict(changed)
    found = model(CLIPS)
    assert model.calls == [2, 2]
    assert torch.equal(found.features, model.teacher(CLIPS).features)


def test_half_precision_takes_half_the_room(tmp_path: Path) -> None:
    full, half = build(tmp_path / 'a'), build(tmp_path / 'b', dtype='float16')
    half.load_state_dict(full.state_dict())
    wanted, found = full(CLIPS), half(CLIPS)
    assert found.features.dtype == torch.float32
    torch.testing.assert_close(
        found.features, wanted.features, rtol=1e-3, atol=1e-3)
    assert torch.equal(half(CLIPS).features, found.features)
    entry = torch.load(files(tmp_path / 'b')[0])
    assert entry[0].dtype == torch.float16


def test_random_views_end_in_an_error(tmp_path: Path) -> None:
    model = build(tmp_path, max_items=5)
    for _ in range(2):
        model(torch.randn_like(CLIPS))
    with pytest.raises(ValueError, match='stored 5 .*make the pipeline'):
        model(torch.randn_like(CLIPS))


def test_broken_entry_is_named(tmp_path: Path) -> None:
    model = build(tmp_path)
    model(CLIPS)
    path = files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=f'remove it: .*{path.name}'):
        model(CLIPS)


def test_in_the_model(tmp_path: Path) -> None:
    """Attention masks are drawn anew, from the stored attention."""
    plain = tiny_umt()
    teacher = dict(TINY, img_size=32)
    model = tiny_umt(
        target_generator=dict(
            type='mmvideomamba.CachedTeacher',
            teacher=teacher,
            cache_dir=str(tmp_path)))
    names = {
        k.replace('target_generator.', 'target_generator.teacher.'): v
        for k, v in plain.state_dict().items()
    }
    model.load_state_dict(names)
    clips = torch.randn(2, 3, 4, 32, 32)
    losses = []
    for one in (plain, model):
        torch.manual_seed(1)
        losses.append([one.loss(clips, None)['loss'] for _ in range(2)])
    assert torch.equal(torch.stack(losses[0]), torch.stack(losses[1]))
    assert losses[0][0] != losses[0][1]
    assert not any(p.requires_grad
                   for p in model.target_generator.parameters())


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dtype .*'int8'"):
        build(tmp_path, dtype='int8')
    with pytest.raises(ValueError, match='max_items .* 0'):
        build(tmp_path, max_items=0)
    assert isinstance(build(tmp_path).teacher, CLIPTeacher)
    cfg = dict(type='mmvideomamba.CachedTeacher', teacher=TINY, cache_dir='x')
    assert isinstance(ROOT.build(cfg), CachedTeacher)
