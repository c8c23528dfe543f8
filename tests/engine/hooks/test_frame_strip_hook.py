from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import PackActionInputs
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
    # Frames of 32 x 40 pixels are drawn three times as large.
    assert strip.shape[1] == 4 * (120 + 4) - 4
    assert (strip[-100:-4, :120] == 120).all()  # frames of the third clip
    assert strip[:-100].any()  # text


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
    assert (strips[0][16:40] != strips[1][16:40]).any()


@pytest.fixture
def drawn(monkeypatch):
    """Return a list of the clips and words of the strips."""
    found = []

    def note(clip, *given, correct):
        found.append((clip, *given, correct))
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(
        'mmvideomamba.engine.hooks.frame_strip_hook.draw_frame_strip', note)
    return found


def words(hook, drawn, label):
    """Return the words of the strip of a sample."""
    inputs, samples = make_batch(1, label)
    hook._draw(inputs['inputs'][0], samples[0])
    return drawn.pop()[1:]


def test_several_classes_of_a_video(visualizer, drawn):
    hook = make_hook(visualizer)
    for label, found in (([1., 1.], ('0, 1', '1', 0.75, True)),
                         ([1., 0.], ('0', '1', 0.75, False)),
                         ([0.,
                           0.], ('none of the classes', '1', 0.75, False))):
        assert words(hook, drawn, torch.tensor(label)) == found


def test_unlabelled_video_has_no_label(visualizer, drawn):
    hook = make_hook(visualizer)
    visualizer.dataset_meta = dict(classes=['rise', 'fall'])
    assert words(hook, drawn, -1) == (None, 'fall', 0.75, None)
    assert words(hook, drawn, 0) == ('rise', 'fall', 0.75, False)
    inputs, samples = make_batch(1)
    del samples[0].gt_label
    hook._draw(inputs['inputs'][0], samples[0])
    assert drawn.pop()[1] is None


@pytest.mark.parametrize('classes, told', [
    ('clases.txt', "'clases.txt', which is not a file"),
    (['rise'], 'has 1 names'),
])
def test_wrong_names_give_way_to_numbers(visualizer, drawn, mm_log, classes,
                                         told):
    hook = make_hook(visualizer)
    visualizer.dataset_meta = dict(classes=classes)
    for _ in range(2):
        assert words(hook, drawn, 1) == ('1', '1', 0.75, True)
    assert len([line for line in mm_log if told in line]) == 1


def test_arguments_of_the_host(visualizer, drawn, mm_log):
    hook = make_hook(
        visualizer, draw_gt=False, draw_pred=False, draw_score=False)
    assert words(hook, drawn, 1) == (None, '', None, True)
    hook = make_hook(visualizer, rescale_factor=0.5)
    inputs, samples = make_batch(1)
    hook._draw(inputs['inputs'][0], samples[0])
    assert drawn[0][0].frames.shape == (4, 16, 20, 3)
    assert not any('of the drawing' in line for line in mm_log)
    make_hook(visualizer, fps=4, out_type='gif')
    assert any('fps, out_type of the drawing' in line for line in mm_log)
    with pytest.raises(ValueError, match="no argument 'draw_ground'"):
        make_hook(visualizer, draw_ground=True)
    with pytest.raises(ValueError, match='rescale_factor .* 0'):
        make_hook(visualizer, rescale_factor=0)


def test_numbers_of_the_frames(visualizer, drawn):
    """The pipeline packs them, and the first clip is drawn."""
    step = PackActionInputs()
    pipeline = SimpleNamespace(transforms=[object(), step])
    data_set = SimpleNamespace(dataset=SimpleNamespace(pipeline=pipeline))
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=data_set))
    runner = SimpleNamespace(_val_loop=loop, _test_loop=dict(type='TestLoop'))
    hook = make_hook(visualizer)
    for _ in range(2):
        hook.before_run(runner)
    assert step.meta_keys[-1] == 'frame_inds'
    assert step.meta_keys.count('frame_inds') == 1
    inputs, samples = make_batch(1)
    samples[0].set_metainfo(dict(frame_inds=np.arange(8).reshape(2, 4) * 3))
    hook._draw(inputs['inputs'][0], samples[0], np.ones((2, 2, 2)))
    clip = drawn[0][0]
    assert clip.numbers == [0, 3, 6, 9] and clip.relevance.shape == (2, 2, 2)
    hook._draw(inputs['inputs'][0], make_batch(1)[1][0])
    assert drawn[1][0].numbers is None


def test_smaller_last_batch_goes_on(visualizer, tmp_path):
    hook = make_hook(visualizer, interval=1, out_dir=str(tmp_path / 'out'))
    for index, size in enumerate((3, 1)):
        hook._draw_samples(index, *make_batch(size))
    names = sorted(p.name for p in (tmp_path / 'out').iterdir())
    assert names == [f'sample_{i}_0.png' for i in range(4)]


def test_one_process_draws(visualizer, tmp_path, monkeypatch):
    monkeypatch.setattr(
        'mmvideomamba.engine.hooks.frame_strip_hook.is_main_process',
        lambda: False)
    hook = make_hook(visualizer, out_dir=str(tmp_path / 'out'))
    hook._draw_samples(0, *make_batch(1))
    assert not (tmp_path / 'out').exists()


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
