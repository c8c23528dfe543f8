"""Real entry points name the fault of bad input."""
from pathlib import Path

import pytest
import torch
from bad_videos import FAULTS, Fault
from host_tools import CONFIG, run_tool, run_tool_here
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import MMAction2Inferencer

from mmvideomamba import compat

pytestmark = pytest.mark.slow

UNREADABLE = {
    **{
        k: v
        for k, v in FAULTS.items() if k != 'missing.mp4'
    },
    'short.mp4': Fault(ValueError, 'has 3 frames, fewer than min_frames=4'),
    'damaged.mp4': Fault(ValueError, 'is damaged: '),
}
ANNOTATIONS = {
    'empty': ('', Fault(ValueError, 'bad.txt is empty')),
    'label': ('0_0.mp4 0\n1_1.mp4 2\n',
              Fault(ValueError, 'line 2: label 2 is out of range for '
                    'num_classes=2')),
    'separator': ('0_0.mp4,0\n', Fault(ValueError, 'set delimiter=.,')),
    'video': ('0_0.mp4 0\ngone.mp4 1\n',
              Fault(FileNotFoundError, '1 of 2 videos .*\n.*gone.mp4')),
    'nothing': (None, Fault(FileNotFoundError, 'bad.txt does not exist')),
}


def options(part: str, ann_file: Path, folder: Path) -> list:
    """Return the options for another list of videos in a loader."""
    return [
        '--cfg-options', f'{part}.dataset.ann_file={ann_file}',
        f'{part}.dataset.data_prefix.video={folder}', f'{part}.num_workers=0'
    ]


@pytest.mark.parametrize('name', ANNOTATIONS)
@pytest.mark.parametrize('part', ['train_dataloader', 'val_dataloader'])
def test_annotation_file(clips: Path, tmp_path: Path, monkeypatch, name: str,
                         part: str) -> None:
    text, fault = ANNOTATIONS[name]
    bad = tmp_path / 'bad.txt'
    if text is not None:
        bad.write_text(text)
    monkeypatch.chdir(clips)
    with pytest.raises(fault.error, match=fault.text):
        run_tool_here('train.py', CONFIG, '--work-dir', tmp_path,
                      *options(part, bad, clips / 'data'))


@pytest.mark.parametrize('name', UNREADABLE)
def test_video_in_training(clips: Path, bad_videos: Path, tmp_path: Path,
                           monkeypatch, name: str) -> None:
    fault = UNREADABLE[name]
    (tmp_path / 'ann.txt').write_text(f'{name} 0\n')
    monkeypatch.chdir(clips)
    with pytest.raises(
            fault.error, match=f'video {bad_videos / name} .*{fault.text}'):
        run_tool_here(
            'train.py', CONFIG, '--work-dir', tmp_path,
            *options('train_dataloader', tmp_path / 'ann.txt', bad_videos))


def test_video_in_testing(clips: Path, bad_videos: Path, tmp_path: Path,
                          trained: Path, monkeypatch) -> None:
    (tmp_path / 'ann.txt').write_text('whole.mp4 0\ndata_lost.mp4 0\n')
    monkeypatch.chdir(clips)
    with pytest.raises(ValueError, match='data_lost.mp4 is cut off'):
        run_tool_here(
            'test.py', CONFIG, trained / 'epoch_3.pth', '--work-dir', tmp_path,
            *options('test_dataloader', tmp_path / 'ann.txt', bad_videos))


def test_process_ends_with_the_message(clips: Path, bad_videos: Path,
                                       tmp_path: Path) -> None:
    """A worker of the loader reads the video, as in a user's training."""
    (tmp_path / 'ann.txt').write_text('whole.mp4 0\naudio.mp4 1\n')
    done = run_tool(
        'train.py',
        CONFIG,
        '--work-dir',
        tmp_path,
        *options('train_dataloader', tmp_path / 'ann.txt', bad_videos)[:-1],
        cwd=clips)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert (f'MediaError: video {bad_videos / "audio.mp4"} has no video '
            'stream') in last


# Folders are inputs of the inferencers.
AS_INPUT = {
    **UNREADABLE, 'folder.mp4':
    Fault(ValueError, 'holds neither videos nor frames')
}


@pytest.mark.parametrize('name', AS_INPUT)
def test_video_in_inference(bad_videos: Path, name: str) -> None:
    model = init_recognizer(str(CONFIG), device='cpu')
    fault = AS_INPUT[name]
    with pytest.raises(
            fault.error, match=f' {bad_videos / name} .*{fault.text}'):
        inference_recognizer(model, str(bad_videos / name))


@pytest.mark.skipif(
    'inferencer' not in {w.name
                         for w in compat.WORKAROUNDS},
    reason='the inferencer of the host replaces the transforms that read '
    'videos by its own; compat has no workaround for it')
@pytest.mark.parametrize('name', AS_INPUT)
def test_video_in_the_inferencer(bad_videos: Path, name: str) -> None:
    inferencer = MMAction2Inferencer(rec=str(CONFIG), device='cpu')
    fault = AS_INPUT[name]
    with pytest.raises(
            fault.error, match=f' {bad_videos / name} .*{fault.text}'):
        inferencer(str(bad_videos / name))


def test_checkpoint_of_another_model(tmp_path: Path) -> None:
    """A file not fitting the model is an error, never loaded silently."""
    path = tmp_path / 'other.pth'
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), path)
    with pytest.raises(ValueError, match='checkpoint does not fit'):
        init_recognizer(str(CONFIG), str(path), device='cpu')
