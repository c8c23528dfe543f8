"""A tiny training and test on videos, some of them unreadable."""
import json
import os
import random
from pathlib import Path
from typing import Any, Dict, List, Sequence

import torch
from mmaction.datasets.transforms import PackActionInputs
from mmengine.evaluator import BaseMetric, DumpResults
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner

from mmvideomamba.datasets import CheckedVideoDataset
from mmvideomamba.datasets.bad_medium import BadMedium
from mmvideomamba.datasets.video.errors import HungMediaError, MediaError
from mmvideomamba.engine.hooks import BadMediaHook, ResumeHook

OPENED: List[str] = []  # in this process


def medium(file: str, **kwargs: Any) -> BadMedium:
    """Build a report; arguments change its fields."""
    return BadMedium(**dict(
        dict(
            file=file,
            fault='is damaged',
            kind='video',
            hung=False,
            policy='report',
            sample=0,
            source='a.txt',
            num_files=9,
            max_share=0.1), **kwargs))


class FakeDecode:
    """Fail for names with 'bad' or 'hung'; else give the name's number."""

    def __call__(self, results: dict) -> dict:
        name = Path(results['filename']).stem
        OPENED.append(name)
        random.random()
        if 'hung' in name:
            raise HungMediaError(results['filename'], 'did not answer')
        if 'bad' in name:
            raise MediaError(results['filename'], 'is damaged')
        return dict(results, imgs=torch.tensor([float(name.split('_')[0])]))


class Toy(BaseModel):
    """Note the samples; predict the number of the video."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: List[List[int]] = []

    def forward(self, inputs: Any, data_samples: Any, mode: str) -> Any:
        numbers = [int(x) for x in inputs]
        labels = [int(x.gt_label) for x in data_samples]
        assert numbers == labels  # each video has its own frames
        if mode == 'loss':
            self.seen.append(labels)
            return dict(loss=(self.weight * torch.stack(inputs)).sum())
        for sample, one in zip(data_samples, inputs):
            sample.pred_score = one
        return data_samples


class Numbers(BaseMetric):
    """Give the numbers of all samples, in the order of arrival."""
    default_prefix = 'all'

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        self.results += [int(x['pred_score']) for x in data_samples]

    def compute_metrics(self, results: list) -> Dict[str, Any]:
        return dict(numbers=results)


class Stop(Hook):
    """End the training in an iteration, as a kill would."""
    priority = 'VERY_LOW'

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner: Any, *args: Any, **_: Any) -> None:
        if runner.iter == self.iteration:
            raise KeyboardInterrupt


def video_set(folder: Path, name: str, names: List[str],
              **kwargs: Any) -> CheckedVideoDataset:
    """Build a data set; the label of a video is the number in the name."""
    lines = [f'{one}.mp4 {one.split("_")[0]}' for one in names]
    path = folder / f'{name}.txt'
    # Renamed into place: the processes of a run write the same list, and one
    # can read while the other writes.
    own = folder / f'{name}.{os.getpid()}'
    own.write_text('\n'.join(lines))
    own.replace(path)
    return CheckedVideoDataset(
        str(path), [FakeDecode(), PackActionInputs()],
        check_files=False,
        **kwargs)


def build(folder: Path,
          train: Sequence[str] = (),
          hooks: Sequence[Any] = (),
          test: Sequence[str] = (),
          hook: Any = None,
          loader: Any = None,
          sampler: str = 'DefaultSampler',
          epochs: int = 3,
          share: float = 0.5,
          policies: Sequence[str] = ('replace', 'report'),
          metrics: Sequence[Any] = (),
          images: Sequence[str] = (),
          **kwargs: Any) -> Runner:
    """Build a runner; an empty list of names gives no loop."""
    loader = dict(dict(batch_size=2, num_workers=0), **(loader or {}))
    parts: Dict[str, Any] = {}
    if train:
        parts.update(
            train_dataloader=dict(
                loader,
                sampler=dict(type=sampler, shuffle=True),
                dataset=video_set(
                    folder,
                    'train',
                    list(train),
                    bad_media=policies[0],
                    max_bad_share=share)),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.)))
    if images:
        parts['train_cfg'] = dict(
            type='mmvideomamba.ModalityTrainLoop',
            max_epochs=epochs,
            image_dataloader=dict(
                loader,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=video_set(
                    folder,
                    'images',
                    list(images),
                    bad_media='replace',
                    max_bad_share=share)))
    if test:
        parts.update(
            test_dataloader=dict(
                loader,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=video_set(
                    folder,
                    'test',
                    list(test),
                    bad_media=policies[1],
                    test_mode=policies[1] != 'replace')),
            test_cfg=dict(),
            test_evaluator=[
                Numbers(), *metrics,
                DumpResults(str(folder / 'dump.pkl'))
            ])
    return Runner(
        Toy(),
        str(folder),
        default_scope='mmengine',
        experiment_name=f'{folder.name}-{random.random()}',
        custom_hooks=[hook or BadMediaHook(),
                      ResumeHook(), *hooks],
        randomness=dict(seed=5),
        **dict(parts, **kwargs))


def run(runner: Runner) -> List[List[int]]:
    """Train until the end or a stop; return the batches."""
    model = runner.model
    try:
        runner.train()
    except KeyboardInterrupt:
        pass
    return model.seen


def listed(folder: Path, part: str = 'train') -> Dict[str, dict]:
    """Return the entries of bad_media.json by the name of the file."""
    content = json.loads((folder / 'bad_media.json').read_text())
    return {
        Path(entry['file']).stem: entry
        for entry in content['files'] if entry['part'] == part
    }


def logged(folder: Path) -> List[str]:
    """Return the lines of all logs of a work dir."""
    return [
        line for path in folder.glob('*/*.log')
        for line in path.read_text().splitlines()
    ]
