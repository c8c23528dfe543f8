"""Compare ways to adapt the quickstart's model to new motions.

    python benchmarks/adaptation.py --workers 16 \
        --out benchmarks/results/adaptation.md

Trains the quickstart's config on data/quickstart (the clips of
tools/data/quickstart/make_quickstart_videos.py), or takes --checkpoint. Makes
the clips of adaptation_data.py, and runs every method with 5 and 20 clips a
class. Each learning rate of a method's grid is tried with the first seed, and
judged on the split ``tune``; the best runs with all seeds. The test split
chooses nothing. Each run has a process and a thread of its own, on the CPU.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from wrapped_page import wrapped

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import torch
from adaptation_data import CLASSES, make_data
from adaptation_table import render
from mmengine.config import Config
from mmengine.runner import Runner

ROOT = Path(__file__).parents[1]
QUICKSTART = ('configs/quickstart/'
              'videomamba-micro_1xb8-u8-25e_quickstart-rgb.py')
EPOCHS = {5: 60, 20: 20}  # by clips a class
# Grid of learning rates by method.
METHODS: Dict[str, List[float]] = {
    'scratch': [2e-3, 4e-3, 8e-3],
    'full fine-tuning': [5e-4, 1e-3, 2e-3],
    'frozen + linear': [1e-2, 3e-2, 1e-1],
    'frozen + attentive': [1e-3, 2e-3, 4e-3],
    'LoRA': [2e-3, 4e-3, 8e-3],
}
BLOCKS = 4
ONE_THREAD = dict(
    OMP_NUM_THREADS='1',
    NUMBA_NUM_THREADS='1',
    OPENCV_FFMPEG_THREADS='1',
    CUDA_VISIBLE_DEVICES='')


class Job(NamedTuple):
    """A training: method, clips a class, seed and learning rate."""
    method: str
    shots: int
    seed: int
    lr: float


def model_changes(method: str, checkpoint: str) -> dict:
    """Return what a method changes in the quickstart's model."""
    if method == 'scratch':
        return {}
    backbone: Dict[str, Any] = dict(
        init_cfg=dict(
            type='Pretrained', checkpoint=checkpoint, prefix='backbone.'))
    changes: Dict[str, Any] = dict(backbone=backbone)
    if method.startswith('frozen'):
        backbone.update(frozen_stages=BLOCKS)
    if method == 'frozen + attentive':
        backbone.update(out_type='raw')
        changes['cls_head'] = dict(type='mmvideomamba.AttentiveHead')
    return changes


def with_lora(backbone: dict) -> dict:
    """Return a backbone below LoRAModel, as in the recipe."""
    names = ('in_proj', 'x_proj', 'x_proj_b', 'out_proj')
    return dict(
        type='mmpretrain.LoRAModel',
        module=backbone,
        alpha=16,
        rank=8,
        targets=[dict(type=name) for name in names])


def job_config(job: Job, data: Path, checkpoint: str, folder: str) -> Config:
    """Return the config of a training."""
    cfg = Config.fromfile(ROOT / QUICKSTART)
    epochs = EPOCHS[job.shots]
    cfg.merge_from_dict({
        'model': model_changes(job.method, checkpoint),
        'model.cls_head.num_classes': len(CLASSES),
        'optim_wrapper.optimizer.lr': job.lr,
        'train_cfg.max_epochs': epochs,
        'randomness.seed': job.seed,
        'work_dir': folder,
        'log_level': 'WARNING',
        'default_hooks.checkpoint.interval': -1,
        'default_hooks.checkpoint.save_best': None,
        'visualizer.vis_backends': [],
    })
    cfg.default_hooks.pop('visualization')
    if job.method == 'LoRA':
        cfg.model.backbone = with_lora(cfg.model.backbone)
    if job.method == 'frozen + linear':
        cfg.optim_wrapper.optimizer.weight_decay = 0.
    warm_up, decay = cfg.param_scheduler
    warm_up.end = decay.begin = max(1, epochs // 10)
    decay.end, decay.T_max = epochs, epochs - warm_up.end
    names = dict(train=f'train_{job.shots}_{job.seed}', val='tune')
    names['test'] = 'test'
    pipeline = cfg.val_dataloader.dataset.pipeline
    for part, name in names.items():
        loader = cfg[f'{part}_dataloader']
        loader.num_workers = 0
        loader.dataset.update(
            data_root=str(data),
            ann_file=f'{name}.txt',
            num_classes=len(CLASSES),
            metainfo=dict(classes=list(CLASSES)))
    cfg.test_dataloader.dataset.pipeline = pipeline  # a single view
    cfg.test_dataloader.batch_size = 16
    for key in ('val_cfg', 'val_evaluator', 'test_cfg', 'test_evaluator'):
        cfg.pop(key)
    cfg.val_loaders = dict(
        tune=cfg.pop('val_dataloader'), test=cfg.pop('test_dataloader'))
    return cfg


@torch.no_grad()
def accuracy(model: Any, loader: dict) -> float:
    """Return the top-1 accuracy on a loader's clips."""
    model.eval()
    right = total = 0
    for batch in Runner.build_dataloader(loader):
        for sample in model.test_step(batch):
            right += int(sample.pred_label == sample.gt_label)
            total += 1
    return right / total


def run_job(job: Job, data: Path, checkpoint: str) -> dict:
    """Train, and return the accuracies."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        cfg = job_config(job, data, checkpoint, folder)
        loaders = cfg.pop('val_loaders')
        runner = Runner.from_cfg(cfg)
        runner.train()
    found = {k: accuracy(runner.model, v) for k, v in loaders.items()}
    return dict(job._asdict(), seconds=time.perf_counter() - start, **found)


def time_steps(data: Path, checkpoint: str, steps: int) -> Dict[str, Any]:
    """Time a training step of each method, without loading of clips."""
    torch.set_num_threads(1)
    found: Dict[str, Any] = {}
    for method in METHODS:
        with tempfile.TemporaryDirectory() as folder:
            job = Job(method, 5, 0, 1e-3)
            cfg = job_config(job, data, checkpoint, folder)
            cfg.pop('val_loaders')
            runner = Runner.from_cfg(cfg)
            runner._train_loop = runner.build_train_loop(cfg.train_cfg)
            runner.optim_wrapper = runner.build_optim_wrapper(
                cfg.optim_wrapper)
            runner.model.init_weights()
            model = runner.model.train()
            batch = next(iter(runner.train_dataloader))
        times = []
        for _ in range(steps + 3):
            start = time.perf_counter()
            model.train_step(batch, runner.optim_wrapper)
            times.append(time.perf_counter() - start)
        learning = [p for p in model.parameters() if p.requires_grad]
        found[method] = dict(
            step=statistics.median(times[3:]),
            learning=sum(p.numel() for p in learning),
            all=sum(p.numel() for p in model.parameters()))
    return found


def child(args: argparse.Namespace, **task: Any) -> Any:
    """Run a task in a process of one thread."""
    done = subprocess.run([
        sys.executable, __file__, '--data',
        str(args.data), '--checkpoint', args.checkpoint, '--epochs',
        str(args.epochs or 0), '--task',
        json.dumps(task)
    ],
                          env=dict(os.environ, **ONE_THREAD),
                          capture_output=True,
                          text=True)
    if done.returncode:
        raise RuntimeError(f'{task}: {done.stderr[-3000:]}')
    return json.loads(done.stdout.rsplit('\n', 2)[-2])


def run_jobs(args: argparse.Namespace, jobs: List[Job],
             workers: int) -> List[dict]:
    """Run trainings side by side."""

    def one(job: Job) -> dict:
        found = child(args, job=job)
        print(found, flush=True)
        return found

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, sorted(jobs, key=lambda j: -j.shots)))


def train_quickstart(args: argparse.Namespace) -> subprocess.Popen:
    """Start the training of the model to adapt."""
    command = [
        sys.executable, 'tools/train.py', QUICKSTART, '--work-dir',
        args.work_dir, '--cfg-options', 'train_dataloader.num_workers=4',
        'val_dataloader.num_workers=4'
    ]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        stdout=subprocess.DEVNULL)


def sweep(shots: List[int], methods: List[str], rates: int) -> List[Job]:
    """List a training for each learning rate, with the first seed."""
    return [
        Job(m, n, 0, lr) for m in methods for n in shots
        for lr in METHODS[m][:rates]
    ]


def best(found: List[dict], method: str, shots: int) -> dict:
    """Return the run with the best accuracy on the split ``tune``."""
    runs = [
        r for r in found
        if (r['method'], r['shots'], r['seed']) == (method, shots, 0)
    ]
    return max(runs, key=lambda r: r['tune'])


def measure(args: argparse.Namespace) -> dict:
    """Run everything."""
    shots, methods = list(EPOCHS), list(METHODS)
    child(args, warm_up=True)  # compiles the kernels of the CPU
    found: List[dict] = []
    steps: Dict[str, Any] = {}
    if args.checkpoint:
        steps = child(args, steps=args.steps)
        print(steps, flush=True)
    else:
        training = train_quickstart(args)
        found += run_jobs(args, sweep(shots, ['scratch'], args.rates),
                          max(1, args.workers - 5))
        if training.wait():
            raise RuntimeError('the quickstart did not train')
        files = (ROOT / args.work_dir).glob('best_*.pth')
        args.checkpoint = str(max(files, key=os.path.getmtime))
        methods.remove('scratch')
    print(args.checkpoint, flush=True)
    found += run_jobs(args, sweep(shots, methods, args.rates), args.workers)
    chosen = [best(found, m, n) for m in METHODS for n in shots]
    found += run_jobs(args, [
        Job(r['method'], r['shots'], seed, r['lr']) for r in chosen
        for seed in range(1, args.seeds)
    ], args.workers)
    steps = steps or child(args, steps=args.steps)
    return dict(
        runs=found,
        chosen=chosen,
        steps=steps,
        checkpoint=Path(args.checkpoint).name)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--checkpoint', default='')
    parser.add_argument('--data', type=Path, default=Path('data/new_motions'))
    parser.add_argument('--work-dir', default='work_dirs/adaptation')
    parser.add_argument('--workers', type=int, default=os.cpu_count())
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--rates', type=int, default=3, help='of each grid')
    parser.add_argument('--steps', type=int, default=30, help='timed')
    parser.add_argument('--epochs', type=int, help='fewer, for a trial')
    parser.add_argument('--out', type=Path, help='the table; also a .json')
    parser.add_argument('--make-data', action='store_true', help='that only')
    parser.add_argument('--task', type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args()


def run_task(args: argparse.Namespace) -> Optional[Any]:
    """Do what the parent process asks for."""
    task = args.task
    if 'job' in task:
        return run_job(Job(*task['job']), args.data, args.checkpoint)
    if 'steps' in task:
        return time_steps(args.data, args.checkpoint, task['steps'])
    with tempfile.TemporaryDirectory() as folder:
        cfg = job_config(Job('scratch', 5, 0, 1e-3), args.data, '', folder)
        cfg.pop('val_loaders')
        cfg.train_cfg.max_epochs = 1
        Runner.from_cfg(cfg).train()
    return None


def main() -> None:
    """Measure, and write the table."""
    args = parse()
    args.data = args.data.resolve()
    if args.epochs:
        EPOCHS.update({k: args.epochs for k in EPOCHS})
    if args.task is not None:
        print(json.dumps(run_task(args)), flush=True)
        return
    make_data(args.data, list(EPOCHS), list(range(args.seeds)), args.workers)
    if args.make_data:
        return
    start = time.time()
    found = measure(args)
    found['minutes'] = (time.time() - start) / 60
    text = wrapped(render(found, METHODS, EPOCHS, len(CLASSES)))
    print(text)
    if args.out:
        args.out.with_suffix('.json').write_text(json.dumps(found, indent=1))
        args.out.write_text(text)


if __name__ == '__main__':
    main()
