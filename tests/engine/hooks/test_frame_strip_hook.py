import cv2
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.visualization import Visualizer

from mmvideomamba.registry import HOOKS


@pytest.fixture
def visualizer(tmp_path):
    name = f'strip-{tmp_path.name}'
    visualizer = Visualizer.get_instance(
        name,
        vis_backends=[dict(type='LocalVisBackend')],
        save_dir=str(tmp_path / 'vis'))
    yield visualizer


def make_hook(visualizer, **kwargs):
    hook = HOOKS.build(
        dict(type='mmvideomamba.FrameStripHook', enable=True, **kwargs))
    hook._visualizer = visualizer
    return hook


def make_batch(size, label=1):
    clips = [
        torch.full((2, 3, 4, 32, 40), 60 * i, dtype=torch.uint8)
        for i in range(size)
    ]
    samples = []
    for _ in range(size):
        sample = ActionDataSample()
        sample.set_gt_label(label).set_pred_label(1)
        sample.set_pred_score(torch.tensor([0.25, 0.75]))
        samples.append(sample)
    return dict(inputs=clips), samples


def test_draws_each_nth_sample_into_the_folder(visualizer, tmp_path):
    hook = make_hook(visualizer, interval=2, out_dir=str(tmp_path / 'out'))
    for index in range(2):  # samples 0, 1, 2 and 3, 4, 5
        hook._draw_samples(index, *make_batch(3), step=7)
    names = sorted(p.name for p in (tmp_path / 'out').iterdir())
    assert names == ['sample_0_7.png', 'sample_2_7.png', 'sample_4_7.png']
    strip = cv2.imread(str(tmp_path / 'out/sample_2_7.png'))
    assert strip.shape == (40 + 32, 4 * 40, 3)
    assert (strip[40:] == 120).all()  # the frames of the third clip
    assert strip[:40].any()  # text


def test_backend_gets_the_picture_by_default(visualizer, tmp_path):
    make_hook(visualizer)._draw_samples(0, *make_batch(2), step=3)
    found = [p.name for p in (tmp_path / 'vis').rglob('*.png')]
    assert found == ['sample_0_3.png']


def test_a_wrong_prediction_looks_different(visualizer):
    hook = make_hook(visualizer)
    strips = []
    for label in (0, 1):
        inputs, samples = make_batch(1, label)
        strips.append(hook._draw(inputs['inputs'][0], samples[0]))
    assert (strips[0][20:40] != strips[1][20:40]).any()


def test_several_classes_of_a_video(visualizer, monkeypatch):
    hook = make_hook(visualizer)
    seen = []
    monkeypatch.setattr(
        'mmvideomamba.engine.hooks.frame_strip_hook.draw_frame_strip',
        lambda _, *given, correct: seen.append((*given, correct)))
    for label in ([1., 1.], [1., 0.]):
        inputs, samples = make_batch(1, torch.tensor(label))
        hook._draw(inputs['inputs'][0], samples[0])
    assert seen == [('0, 1', '1', 0.75, True), ('0', '1', 0.75, False)]


def test_features_and_numbers_are_not_drawn(visualizer, tmp_path):
    hook = make_hook(visualizer, interval=1, out_dir=str(tmp_path / 'out'))
    inputs, samples = make_batch(3)
    number = ActionDataSample().set_pred_score(torch.tensor([3.]))
    hook._draw_samples(0, inputs, [torch.zeros(4), number, samples[0]])
    assert [p.name for p in (tmp_path / 'out').iterdir()] == ['sample_2_0.png']


def test_disabled_hook_draws_nothing(visualizer, tmp_path):
    hook = make_hook(visualizer, out_dir=str(tmp_path / 'out'))
    hook.enable = False
    hook._draw_samples(0, *make_batch(1))
    assert not (tmp_path / 'out').exists()


def test_interval_must_be_positive(visualizer):
    with pytest.raises(ValueError, match='interval .* 0'):
        make_hook(visualizer, interval=0)
