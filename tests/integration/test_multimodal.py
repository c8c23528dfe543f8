"""Video-text pretraining goes on from the interrupted iteration."""
import json
import os
import signal
from pathlib import Path
from typing import Callable, Iterator, List

import cv2
import numpy as np
import pytest
import torch
from host_tools import HERE, run_tool
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from preloaded_python import free_port, spawn
from tar_shards import write_shard

from mmvideomamba.compat import cpu_ranks_cfg

pytest.importorskip('tokenizers', reason='texts need tokenizers')
pytestmark = pytest.mark.slow
NAMES = [f'loss_{name}' for name in ('uta', 'vtc', 'vtm', 'mlm')]


class Watch(Hook):
    """Note modality and losses; interrupt before iteration ``last``, if given.

    Args:
        last (int, optional): First iteration not to run.
    """

    def __init__(self, last: int = None) -> None:
        self.last, self.seen = last, []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.last:
            raise KeyboardInterrupt

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        frames = data_batch['inputs'][0].shape[2]
        self.seen.append((frames, *(outputs[k].item() for k in NAMES)))


@pytest.fixture
def folder(tmp_path: Path, make_video: Callable, monkeypatch) -> Path:
    """Write six videos, four images and a vocabulary, and work there."""
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'of', 'clip']
    lines = []
    for i in range(6):
        path = make_video(f'{i}.mp4', frames=6 + i)
        words.append(f'word{i}')
        lines.append(dict(video=str(path), caption=f'A clip of word{i}.'))
    images = []
    for i in range(4):
        noise = np.random.randint(0, 255, (40, 48, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f'{i}.png'), noise)
        images.append(dict(image=f'{i}.png', caption=f'a word{i}'))
    (tmp_path / 'videos.jsonl').write_text('\n'.join(
        json.dumps(line) for line in lines))
    for i in range(3):
        write_shard(tmp_path / f'videos-{i}.tar',
                    [{
                        '.mp4': (tmp_path / f'{k}.mp4').read_bytes(),
                        '.txt': b'A clip of word%d.' % k
                    } for k in (2 * i, 2 * i + 1)])
    (tmp_path / 'images.json').write_text(json.dumps(images))
    (tmp_path / 'vocab.txt').write_text('\n'.join(words))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(name: str,
          work_dir: str,
          resume: bool = False,
          options: dict = {},
          **kwargs) -> List:
    cfg = Config.fromfile(HERE / 'tiny_multimodal.py')
    cfg.merge_from_dict(options)
    cfg.work_dir, cfg.resume, cfg.experiment_name = work_dir, resume, name
    runner = Runner.from_cfg(cfg)
    watch = Watch(**kwargs)
    runner.register_hook(watch)
    try:
        runner.train()
    except KeyboardInterrupt:
        pass
    return watch.seen


def test_a_resumed_pretraining_repeats_an_uninterrupted_one(
        folder: Path) -> None:
    whole = train('whole', 'whole')
    assert sorted(frames for frames, *_ in whole[:5]) == [1, 1, 4, 4, 4]
    assert len(whole) == 10 and torch.tensor(whole).isfinite().all()
    before = train('killed', 'killed', last=7)
    after = train('resumed', 'killed', resume=True)
    assert before == whole[:7] and after == whole[5:]


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add up in the same order in this process and in all subprocesses."""
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_killed_within_an_epoch_and_resumed(folder: Path,
                                            one_thread: None) -> None:
    """Order and losses go on bit by bit, after the workers are gone."""
    killed = run_tool(
        'train.py',
        HERE / 'killed_multimodal.py',
        '--work-dir',
        'killed',
        cwd=folder)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    saved = sorted(p.name for p in (folder / 'killed').glob('*.pth'))
    assert saved == ['iter_3.pth', 'iter_6.pth']
    after = train('resumed', 'killed', resume=True)
    assert after == train('whole', 'whole')[6:]


SHARDS = {
    'train_dataloader.dataset.sources':
    [dict(ann_file='videos-*.tar', count_file='counts.json')],
    'train_dataloader.sampler':
    dict(type='mmvideomamba.ShardSampler'),
    'train_dataloader.num_workers':
    2,
    'default_hooks.checkpoint':
    dict(type='CheckpointHook', by_epoch=False, interval=1)
}


def test_shards_go_on_within_an_epoch(folder: Path) -> None:
    whole = train('whole', 'whole', options=SHARDS)
    assert len(whole) == 10 and torch.tensor(whole).isfinite().all()
    before = train('cut', 'cut', options=SHARDS, last=7)
    after = train('on', 'cut', resume=True, options=SHARDS)
    assert before == whole[:7] and after == whole[7:]
    # Other workers would read other parts of the shards.
    fewer = {**SHARDS, 'train_dataloader.num_workers': 1}
    train('cut', 'again', options=SHARDS, last=3)
    with pytest.raises(ValueError, match="'video streams': 1"):
        train('on', 'again', resume=True, options=fewer)


def work(rank: int, port: int) -> None:
    """Train as one of two processes, once as a whole and once in parts."""
    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port))
    options = {
        **SHARDS,
        **cpu_ranks_cfg(),
        'model_wrapper_cfg.find_unused_parameters': True,
        'launcher': 'pytorch',
        'train_dataloader.num_workers': 0,
        # As in the recipes.
        'model.text_encoder.with_cp': True
    }
    whole = train('whole', 'whole', options=options)
    before = train('cut', 'cut', options=options, last=3)
    torch.distributed.barrier()
    after = train('on', 'cut', resume=True, options=options)
    torch.save([whole, before, after], f'{rank}.pth')


def test_two_processes_take_turns_and_go_on(folder: Path) -> None:
    """All take the same modality, other samples, and so after a restart."""
    for i in range(3):
        os.link(folder / f'videos-{i}.tar', folder / f'videos-{i + 3}.tar')
    spawn(work, (free_port(), ), 2)
    ranks = [torch.load(folder / f'{rank}.pth') for rank in range(2)]
    for whole, before, after in ranks:
        assert len(whole) == 8 and torch.tensor(whole).isfinite().all()
        assert before == whole[:3] and after == whole[3:]
    one, other = (torch.tensor(whole) for whole, *_ in ranks)
    assert torch.equal(one[:, 0], other[:, 0])
    # The VTC loss covers all pairs, the VTM loss the pairs of a process.
    vtc, vtm = 1 + NAMES.index('loss_vtc'), 1 + NAMES.index('loss_vtm')
    assert torch.equal(one[:, vtc], other[:, vtc])
    assert not (one[:, vtm] == other[:, vtm]).any()
