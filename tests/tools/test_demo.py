import cv2
import pytest
import torch
from huggingface_hub import constants
from mmaction.apis import init_recognizer
from script import load_script

import mmvideomamba
from mmvideomamba.datasets.video.choice import open_video

CONFIG = """
default_scope = 'mmaction'
custom_imports = dict(imports=['mmvideomamba'])
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='mmvideomamba.VideoMamba',
        arch=dict(embed_dims=16, num_layers=1),
        img_size=32,
        num_frames=4),
    cls_head=dict(
        type='mmvideomamba.VideoMambaHead',
        num_classes=3,
        in_channels=16,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor', mean=[128.], std=[64.],
        format_shape='NCTHW'))
test_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=4, num_clips=2, test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(-1, 32)),
    dict(type='CenterCrop', crop_size=32),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
"""


@pytest.fixture(scope='module')
def demo():
    return load_script('demo/demo_recognizer.py')


@pytest.fixture
def call(demo, tmp_path, make_video):
    """Return a function to run the demo, files changed by keyword."""
    config = tmp_path / 'config.py'
    config.write_text(CONFIG)
    model = init_recognizer(str(config), device='cpu')
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'model.pth')
    (tmp_path / 'names.txt').write_text('rise\nfall\nstay\n')

    def run(*options, **files):
        paths = dict(
            video=files.pop('video', None) or make_video(),
            config=config,
            checkpoint=tmp_path / 'model.pth')
        paths.update(files)
        argv = [str(p) for p in paths.values()]
        argv += ['--out-dir', str(tmp_path / 'out'), '--device', 'cpu']
        if '--label-file' not in options:
            argv += ['--label-file', str(tmp_path / 'names.txt')]
        argv += [str(o) for o in options]
        if argv[-2:] == ['--label-file', 'None']:
            argv = argv[:-2]
        demo.run(demo.parse_args(argv))
        return tmp_path / 'out'

    return run


def test_prints_scores_and_writes_picture_and_video(call, capsys):
    out_dir = call('--topk', 2)
    lines = capsys.readouterr().out.splitlines()
    scores = [line.split('  ') for line in lines if line[0].isdigit()]
    assert len(scores) == 2
    assert {name for _, name in scores} < {'rise', 'fall', 'stay'}
    assert 1 > float(scores[0][0]) >= float(scores[1][0]) > 0
    assert cv2.imread(str(out_dir / 'clip_scores.png')).shape[1] == 800
    with open_video(str(out_dir / 'clip_annotated.mp4')) as reader:
        assert len(reader) == 16 and round(reader.avg_fps) == 10
        # 64 x 48 enlarged, text below
        assert reader.height > 288 and reader.width == 384


def test_config_can_be_changed(call, demo, monkeypatch):
    build, built = demo.build_predictor, []
    monkeypatch.setattr(demo, 'build_predictor',
                        lambda args: built.append(build(args)) or built[-1])
    call('--cfg-options', 'model.backbone.cuda_graph=True')
    # On a CPU the graph's stand-in calls the plain forward.
    assert 'forward' in vars(built[0].backend.model.backbone)


def test_names_of_the_checkpoint(call, tmp_path, capsys):
    path = tmp_path / 'named.pth'
    file = torch.load(tmp_path / 'model.pth')
    file['meta'] = dict(dataset_meta=dict(classes=['a $x^2_$', 'b', '左']))
    torch.save(file, path)
    call('--label-file', None, checkpoint=path)
    lines = capsys.readouterr().out.splitlines()
    names = {line[8:] for line in lines if line[0].isdigit()}
    assert names == {'a $x^2_$', 'b', '左'}


def test_classes_without_names_are_numbered(call, capsys):
    call('--label-file', None)
    assert '  class 2\n' in capsys.readouterr().out


def test_frames_of_the_model_are_drawn(call, demo, monkeypatch):
    clips = []
    for name in ('save_score_chart', 'save_annotated_video'):
        monkeypatch.setattr(demo, name, lambda *given: clips.append(given[-1]))
    call()
    # Two clips of four frames.
    assert clips[0] == clips[1]
    assert [len(clip) for clip in clips[0]] == [4, 4]


def test_config_by_name(call, demo, monkeypatch):
    """As tools/train.py finds configs; the file is of another model."""
    name = 'videomamba-micro_1xb8-u8-25e_custom-rgb'
    with pytest.raises(ValueError, match='the file has 1'):
        call(config=f'{name}.py')
    with pytest.raises(FileNotFoundError, match=f'did you mean {name}'):
        call(config='videomamba-micro_1xb8-u8-25e_custom-rbg.py')


def test_working_folder(call, demo, tmp_path, capsys):
    """The best checkpoint and the names of the classes come along."""
    call(config=tmp_path / 'config.py')
    expected = capsys.readouterr().out
    file = torch.load(tmp_path / 'model.pth')
    best = 'best_acc_top1_epoch_1.pth'
    file.update(
        meta=dict(
            cfg=CONFIG,
            mmengine_version='0.10.7',
            time='20260101_000000',
            dataset_meta=dict(classes=['rise', 'fall', 'stay'])),
        message_hub=dict(runtime_info=dict(best_ckpt=best)))
    work_dir = tmp_path / 'work'
    work_dir.mkdir()
    torch.save(file, work_dir / best)
    file['state_dict'] = {k: -v for k, v in file['state_dict'].items()}
    torch.save(file, work_dir / 'epoch_2.pth')
    argv = [str(tmp_path / 'clip.mp4'), '--device', 'cpu']
    argv += ['--out-dir', str(tmp_path / 'out')]
    for source in ([work_dir], [tmp_path / 'config.py', work_dir]):
        demo.run(demo.parse_args([*argv, *map(str, source)]))
        assert capsys.readouterr().out == expected
    with pytest.raises(ValueError, match='config.py is a config and holds no'):
        demo.run(demo.parse_args([*argv, str(tmp_path / 'config.py')]))


def test_saved_folder(call, demo, tmp_path, capsys):
    call()
    expected = capsys.readouterr().out
    model = mmvideomamba.load(
        tmp_path / 'model.pth', config=tmp_path / 'config.py')
    mmvideomamba.save_pretrained(model, tmp_path / 'saved')
    video = str(tmp_path / 'clip.mp4')
    argv = [
        video,
        str(tmp_path / 'saved'), '--out-dir',
        str(tmp_path / 'out'), '--device', 'cpu', '--label-file',
        str(tmp_path / 'names.txt')
    ]
    demo.run(demo.parse_args(argv))
    assert capsys.readouterr().out == expected
    with pytest.raises(ValueError, match='--cfg-options change a config'):
        demo.run(demo.parse_args([*argv, '--cfg-options', 'a=1']))


@pytest.mark.parametrize('which', ['video', 'config', 'checkpoint'])
def test_missing_file_is_named(call, which):
    with pytest.raises(FileNotFoundError, match=f'{which} .*gone.x'):
        call(**{which: 'gone.x'})


def test_published_name(call, monkeypatch):
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', 'none')
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    with pytest.raises(ValueError, match='res224.pth cannot be downloaded'):
        call(checkpoint='videomamba_t16_k400_f8_res224.pth')


def test_missing_label_file_is_named(call):
    with pytest.raises(FileNotFoundError, match='the label file .*gone.x'):
        call('--label-file', 'gone.x')


def test_wrong_number_of_names(call, tmp_path):
    path = tmp_path / 'two.txt'
    path.write_text('rise\nfall\n')
    with pytest.raises(ValueError, match='two.txt.* 2 classes.* has 3'):
        call('--label-file', path)


def test_topk_must_be_positive(call):
    with pytest.raises(ValueError, match='--topk .* 0'):
        call('--topk', 0)


def test_views(call, demo, capsys, monkeypatch):
    for name in ('save_score_chart', 'save_annotated_video'):
        monkeypatch.setattr(demo, name, lambda *given: None)
    texts = []
    for views in ('all', 'one', '2'):
        call('--views', views)
        texts.append(capsys.readouterr().out)
    # The config has two clips and the central crop.
    assert texts[0] == texts[2] != texts[1]
    with pytest.raises(ValueError, match="views must be .* is 'none'"):
        call('--views', 'none')


@pytest.mark.parametrize('damage', ['empty', 'cut off', 'text'])
def test_unreadable_video(call, make_video, damage):
    path = make_video(name='bad.mp4')
    content = path.read_bytes()
    path.write_bytes(
        dict(empty=b'', text=b'hello' * 99).get(damage,
                                                content[:len(content) // 2]))
    with pytest.raises(ValueError, match='video .*bad.mp4 is'):
        call(video=path)


def test_video_without_picture(call, tmp_path):
    import subprocess
    imageio_ffmpeg = pytest.importorskip('imageio_ffmpeg')
    path = tmp_path / 'sound.mp4'
    subprocess.run([
        imageio_ffmpeg.get_ffmpeg_exe(), '-loglevel', 'error', '-f', 'lavfi',
        '-i', 'sine=duration=1',
        str(path)
    ],
                   check=True)
    with pytest.raises(
            ValueError, match='video .*sound.mp4 has no video stream'):
        call(video=path)
