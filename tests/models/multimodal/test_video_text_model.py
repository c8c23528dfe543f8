import pytest
import torch
from common import GOLDEN_FLOOR, assert_close, golden
from golden_multimodal import (NAME, draws, golden_inputs, golden_model,
                               golden_samples, golden_towers)
from replaced_draws import DRAWS

from mmvideomamba.checkpoints import own_key, resize_temporal_embed
from mmvideomamba.models import VideoTextModel

CASES = golden(NAME).config['cases']
FACTORS = dict(loss_vtc=1.0, loss_vtm=0.7, loss_mlm=0.5, loss_uta=1.3)


def inject(monkeypatch, case: str) -> list:
    stand_ins = draws(case)
    for name in ('bernoulli', 'randint'):
        monkeypatch.setattr(torch, name, getattr(stand_ins, name))

    def draw(weights, count):
        return stand_ins.draw(weights, count).to(weights.device)

    for name in DRAWS:
        monkeypatch.setattr(name, draw)
    return stand_ins.seen


def check_close(found, wanted, kind='forward', name=''):
    assert_close(found, wanted, kind, floor=GOLDEN_FLOOR, name=name)


@pytest.mark.parametrize('case', CASES)
def test_golden_losses_and_gradients(case: str, monkeypatch, place) -> None:
    data, cfg = golden(NAME), CASES[case]
    kwargs, samples = {}, golden_samples()
    if cfg['video_mask_type'] == 'tube':
        kwargs = dict(
            masked_keep_temporal=True,
            mask_cfg={k: dict(source='data')
                      for k in ('video', 'image')})
        for sample, mask in zip(samples, data[f'{case}/draw/mask']):
            sample.mask = mask[1:]
    model = golden_model(cfg, **kwargs).to(place)
    model.vision_encoder.register_forward_hook(
        lambda _, __, out: seen_vision.append(out))
    seen_vision: list = []
    seen = inject(monkeypatch, case)
    losses = model.loss(golden_inputs(cfg['input']).to(place), samples)
    for name in FACTORS:
        wanted = data[f'{case}/out/{name}']
        check_close(losses.get(name, torch.zeros(())), wanted, name=name)
    vision = seen_vision[0]
    check_close(vision.pooled, data[f'{case}/out/pooled_vision'])
    for name, found in (('vision_embeds', vision.tokens), ('student_output',
                                                           vision.decoded)):
        if f'{case}/out/{name}' in data:
            check_close(found, data[f'{case}/out/{name}'], name=name)
    if cfg['loss_weight']['vtm']:
        check_close(seen[-2], data[f'{case}/out/weights_t2v'])
        check_close(seen[-1], data[f'{case}/out/weights_v2t'])
    total = sum(FACTORS[k] * losses[k] for k in FACTORS if k in losses)
    total.backward()
    found = {k: p.grad for k, p in model.named_parameters()}
    for key, wanted in data.under(f'{case}/grad/').items():
        gradient = found[own_key(key)]
        if gradient is None:
            assert not wanted.any(), key
            continue
        check_close(gradient, wanted, 'gradient', key)
    for prefix in cfg['params_without_gradient_prefixes']:
        names = [k for k in found if k.startswith(own_key(prefix))]
        if prefix.endswith('.layer'):  # layers for fusion are meant
            names = [k for k in names if 'crossattention' in k]
        assert names and not any(found[k] is not None and found[k].any()
                                 for k in names), prefix


def test_golden_retrieval_mode(monkeypatch, place) -> None:
    """The trunk without word head and teacher, from a golden file."""
    data, case = golden(NAME), 'retrieval_mode'
    model = golden_model(
        dict(
            loss_weight=dict(vtc=1., vtm=1.),
            pool_type='cls+avg',
            keep_temporal=True),
        teacher=None,
        mask_cfg=None,
        with_mlm=False).to(place)
    assert not any(
        k.startswith(('text_encoder.cls', 'clip_teacher'))
        for k in model.state_dict())
    samples = golden_samples()
    for sample, pair_id in zip(samples, data[f'{case}/in/idx'].tolist()):
        sample.pair_id = pair_id
    inject(monkeypatch, case)
    losses = model.loss(golden_inputs('video').to(place), samples)
    for name in ('loss_vtc', 'loss_vtm'):
        check_close(losses[name], data[f'{case}/out/{name}'], name=name)
    stripped = {
        k.replace('text_encoder.bert.', 'text_encoder.'): v + 1
        for k, v in data.under('sd/').items()
        if not k.startswith(('text_encoder.cls', 'clip_teacher'))
    }
    model.load_state_dict(dict(model=stripped))
    check_close(model.temp, data['sd/temp'] + 1)
    weight = 'embeddings.word_embeddings.weight'
    check_close(model.state_dict()[f'text_encoder.bert.{weight}'],
                data[f'sd/text_encoder.bert.{weight}'] + 1)


def test_another_number_of_frames_adapts_the_file() -> None:
    case = dict(
        loss_weight=dict(vtc=1.), pool_type='cls+avg', keep_temporal=True)
    model = golden_model(case, num_frames=8)
    found = model.vision_encoder.backbone.temporal_pos_embedding
    stored = golden(NAME)['sd/vision_encoder.temporal_pos_embedding']
    assert stored.shape[1] == 4
    assert torch.equal(found, resize_temporal_embed(stored, 8))
    clips = golden_inputs('video').repeat_interleave(2, dim=2)
    assert model(clips).pooled.shape == (4, 8, 40)


def test_golden_text_features(place) -> None:
    data = golden(NAME)
    model = golden_model(CASES['video_masked']).to(place)
    text = model.text_encoder.encode(data['in/input_ids'].to(place),
                                     data['in/attention_mask'].to(place))
    check_close(text, data['common/out/text_embeds'])


@pytest.mark.parametrize('kind, aligned, seen', [('video', False, 0.25),
                                                 ('image', True, 0.5)])
def test_alignment_of_images_only(kind: str, aligned: bool,
                                  seen: float) -> None:
    """Videos are left out of the alignment loss, and masked all the same."""
    masks = dict(
        video=dict(source='attention', ratio=0.75),
        image=dict(source='attention', ratio=0.5))
    model = golden_model(
        CASES['video_masked'], align_images_only=True, mask_cfg=masks)
    clips, outs = golden_inputs(kind), []
    model.vision_encoder.register_forward_hook(
        lambda _, __, out: outs.append(out))
    losses = model.loss(clips, golden_samples())
    assert ('loss_uta' in losses) == aligned
    _, h, w = model.vision_encoder.backbone.grid
    assert outs[0].tokens.shape[1] == seen * clips.shape[2] * h * w
    with pytest.raises(ValueError, match="mask_cfg tells no mask for 'video'"):
        golden_model(
            CASES['video_masked'],
            align_images_only=True,
            mask_cfg=dict(image=masks['image']))


@pytest.mark.parametrize('start, wanted', [(1e-5, 1e-3), (0.9, 0.5),
                                           (0.1, 0.1)])
def test_temperature_is_kept_in_its_range(start: float, wanted: float) -> None:
    model = golden_model(CASES['video_unmasked_pool_cls'])
    with torch.no_grad():
        model.temp.fill_(start)
    losses = model(golden_inputs('video'), golden_samples(), 'loss')
    assert losses['temperature'] == pytest.approx(wanted)


def test_a_divergence_shows_in_the_loss_of_pairs() -> None:
    """Also where nothing else is computed from the similarities."""
    case = dict(
        loss_weight=dict(vtm=1.), pool_type='cls+avg', keep_temporal=True)
    model = golden_model(
        case, loss_weights=dict(vtm=1.), teacher=None, mask_cfg=None)
    for value, finite in ((0., True), (float('nan'), False)):
        model.vision_proj.bias.data[0] = value
        losses = model.loss(golden_inputs('video'), golden_samples())
        assert set(losses) == {'loss_vtm', 'temperature'}
        assert losses['loss_vtm'].isfinite() == finite


def test_several_wrong_partners(monkeypatch) -> None:
    """All pairs one by one; right ones count for a third."""
    case = dict(
        loss_weight=dict(vtm=1.), pool_type='cls+avg', keep_temporal=True)
    model = golden_model(
        case,
        loss_weights=dict(vtm=1.),
        teacher=None,
        mask_cfg=None,
        vtm_negatives=2).eval()
    drawn = [
        torch.tensor([[1, 2], [3, 0], [0, 1], [2, 0]]),
        torch.tensor([[3, 1], [2, 0], [3, 1], [1, 2]])
    ]
    draws_left = iter(drawn)
    for name in DRAWS:
        monkeypatch.setattr(name, lambda *_: next(draws_left))
    clips, samples = golden_inputs('video'), golden_samples()
    for number, sample in enumerate(samples):
        sample.pair_id = number
    loss = model.loss(clips, samples)['loss_vtm']
    vision = model.encode_videos(clips).tokens
    tokens = model.tokenize([sample.text for sample in samples])
    text = model.text_encoder.encode(*tokens)

    def cost(video: int, words: int, right: int) -> torch.Tensor:
        logit = model.match_logit(text[words:words + 1],
                                  tokens.mask[words:words + 1],
                                  vision[video:video + 1])
        return -logit.log_softmax(1)[0, right]

    right = [cost(i, i, 1) for i in range(4)]
    wrong = [cost(int(v), i, 0) for i in range(4) for v in drawn[0][i]]
    wrong += [cost(i, int(t), 0) for i in range(4) for t in drawn[1][i]]
    wanted = sum(right) / 4 / 3 + sum(wrong) / 16 * 2 / 3
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    for sample in samples[1:]:
        sample.pair_id = 1
    with pytest.raises(ValueError, match='1 wrong partners.*needs 2.*lower'):
        model.loss(clips, samples)


def test_word_head_is_tied_to_the_embeddings() -> None:
    model = golden_model(CASES['video_masked'])
    head = model.text_encoder.cls.predictions
    words = model.text_encoder.bert.embeddings.word_embeddings
    assert head.decoder.weight is words.weight
    assert head.decoder.bias is head.bias


def test_no_word_to_guess_is_no_nan(monkeypatch) -> None:
    model = golden_model(dict(CASES['video_unmasked_keep_temporal']))
    model.mlm_probability = 0.
    losses = model.loss(golden_inputs('video'), golden_samples())
    assert losses['loss_mlm'] == 0
    losses['loss_mlm'].backward()


@pytest.mark.parametrize('change, match', [
    (dict(loss_weights=dict(itc=1.)), "loss_weights takes.*'itc'"),
    (dict(loss_weights=dict(vtc=-1.)), 'vtc in loss_weights .*not negative'),
    (dict(loss_weights=dict(mlm=float('nan'))), 'mlm in loss_weights .*nan'),
    (dict(vtm_negatives=0), 'at least 1, but is 0'),
    (dict(gather_grad='all'), "gather_grad must be.*'all'"),
    (dict(mask_cfg=dict(video=dict(source='tube'))), "'video'.*'tube'"),
    (dict(mask_cfg=dict(video=dict(source='data'))), "no mask for 'image'"),
    (dict(mask_cfg=dict(image=dict(source='attention'))),
     'mask_ratio must be a number .*got None'),
    (dict(mask_cfg=dict(image=dict(source='attention', mask_ratio=.5))),
     "a source of .* and a ratio, but got 'image': .*mask_ratio"),
    (dict(teacher=None), 'needs a teacher'),
    (dict(with_mlm=False), 'with_mlm=False'),
])
def test_bad_arguments(change: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        golden_model(CASES['video_masked'], **change)


def test_teacher_that_no_loss_asks(mm_log: list) -> None:
    case = CASES['video_masked']
    golden_model(case)
    assert not [line for line in mm_log if 'used by no loss' in line]
    golden_model(case, loss_weights=dict(vtc=1.))
    line, = [line for line in mm_log if 'used by no loss' in line]
    assert 'VideoTextModel' in line and 'uta in loss_weights' in line


def test_widths_must_fit() -> None:
    """As after a change of the backbone alone."""
    towers = golden_towers(CASES['video_masked'])
    width = towers['vision_encoder']['backbone']['arch']['embed_dims']
    towers['text_encoder']['encoder_width'] = width + 1
    with pytest.raises(ValueError, match=f'is {width + 1}.*has {width} chan'):
        VideoTextModel(**towers, tokenizer=dict(folder='none'))


def test_bad_modes_and_inputs() -> None:
    model = golden_model(
        CASES['video_masked'],
        mask_cfg={k: dict(source='data')
                  for k in ('video', 'image')})
    with pytest.raises(ValueError, match="no mask.*TokenMask|'video'.*mask"):
        model.loss(golden_inputs('video'), golden_samples())
    with pytest.raises(ValueError, match='RetrievalTestLoop'):
        model(golden_inputs('video'), mode='predict')
    with pytest.raises(ValueError, match='one clip per sample, but got 2'):
        model(torch.zeros(1, 2, 3, 4, 32, 32))
