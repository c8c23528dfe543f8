"""Trainings and tests of motion_noise.py, each in a process of its own."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np
from mmengine.config import Config
from motion_noise_rows import ROOT, SHUFFLED, Plan, Row, row_config

from mmvideomamba.exit_codes import PREEMPTED

GRACE = 60.  # seconds for saving
Found = Dict[str, Any]


class Place(NamedTuple):
    """Where to run.

    Args:
        work (Path): Folder of working folders.
        data (Path): Folder of the sets.
        cores (int): Processor cores of a training.
        gpu (str): Number of the GPU, '' for a CPU.
        beside (int): Trainings at the same time on the machine. Defaults to
            1.
    """
    work: Path
    data: Path
    cores: int
    gpu: str
    beside: int = 1


class OutOfTime(Exception):
    """The time is up; a training goes on with the next call."""


def environment(place: Place) -> Dict[str, str]:
    """Return the environment of a child."""
    found = dict(
        os.environ,
        OMP_NUM_THREADS='1',
        PYTHONPATH=os.pathsep.join(
            [str(ROOT), os.environ.get('PYTHONPATH', '')]))
    found['CUDA_VISIBLE_DEVICES'] = place.gpu
    # Products of matrices with the same bits in each run, where a training
    # asks for determinism.
    found['CUBLAS_WORKSPACE_CONFIG'] = ':4096:8'
    return found


def write_config(cfg: Config, path: Path) -> Path:
    """Write a config to train or test with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cfg.dump(str(path))
    return path


def last_checkpoint(folder: Path) -> Optional[Path]:
    """Return the newest checkpoint of a training, None for none."""
    kept = folder / 'last_checkpoint'
    if not kept.is_file():
        return None
    return folder / Path(kept.read_text().strip()).name


def need_checkpoint(folder: Path) -> Path:
    """Return the newest checkpoint of a finished training.

    Args:
        folder (Path): Working folder.

    Returns:
        Path: The file.

    Raises:
        RuntimeError: If there is none, for example on another machine than
            the one of an earlier call.
    """
    path = last_checkpoint(folder)
    if path is None or not path.is_file():
        raise RuntimeError(
            f'{folder} has no checkpoint: bring the folder along, or remove '
            f'the row {folder.name!r} from the .json to train again.')
    return path


def training_config(row: Row, plan: Plan, place: Place) -> Config:
    """Return the config of a training, with the weights to begin with."""
    cfg = row_config(row, plan, place.data, row.shuffled)
    if place.cores > 2 and not plan.small:
        cfg.train_dataloader.num_workers = place.cores - 1
    if row.start:
        before = next(r for r in plan.rows if r.key == row.start)
        weights = str(need_checkpoint(place.work / before.key))
        names = [plan.sets[r.data].names for r in (row, before)]
        if names[0] == names[1]:
            cfg.load_from = weights
        else:  # the head has other classes
            cfg.model.backbone.init_cfg = dict(
                type='Pretrained', checkpoint=weights, prefix='backbone.')
    return cfg


def start_child(command: Sequence[str], place: Place,
                log: Path) -> subprocess.Popen:
    """Start a process.

    Args:
        command (Sequence[str]): Arguments of the interpreter.
        place (Place): Where to run.
        log (Path): File for the output, which is appended.

    Returns:
        subprocess.Popen: The process.
    """
    with log.open('ab') as file:
        return subprocess.Popen([sys.executable, *command],
                                cwd=ROOT,
                                env=environment(place),
                                stdout=file,
                                stderr=file)


def run_child(command: Sequence[str], place: Place, log: Path,
              deadline: float) -> int:
    """Run a process, and ask for the end at the deadline.

    Args:
        command (Sequence[str]): Arguments of the interpreter.
        place (Place): Where to run.
        log (Path): File for the output.
        deadline (float): Of ``time.time``.

    Returns:
        int: Exit code; ``PREEMPTED`` for a child ended by the deadline.
    """
    child = start_child(command, place, log)
    try:
        return child.wait(max(0., deadline - time.time()))
    except subprocess.TimeoutExpired:
        child.terminate()
        try:
            code = child.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        # A child that was still importing knows no better end.
        return PREEMPTED if code else 0


def train(row: Row, plan: Plan, place: Place, deadline: float) -> Found:
    """Train with tools/train.py, or go on with a training.

    Args:
        row (Row): The row.
        plan (Plan): Of the row.
        place (Place): Where to run.
        deadline (float): Of ``time.time``.

    Returns:
        dict: See ``read_log``.

    Raises:
        OutOfTime: If the training has to go on later.
        RuntimeError: If the training failed.
    """
    folder = place.work / row.key
    cfg = training_config(row, plan, place)
    config = write_config(cfg, place.work / 'configs' / f'{row.key}.py')
    command = ['tools/train.py', str(config), '--work-dir', str(folder)]
    if row.part == 'resume' and row.name.endswith('killed'):
        kill_after_an_epoch(command, place, folder)
    # The tool leaves load_from out with --resume.
    if last_checkpoint(folder) is not None:
        command.append('--resume')
    code = run_child(command, place, log_of(folder), deadline)
    if code == PREEMPTED:
        raise OutOfTime
    if code:
        raise RuntimeError(f'{row.key} failed with {code}: '
                           f'{log_of(folder).read_text()[-2000:]}')
    return read_log(folder, cfg)


def log_of(folder: Path) -> Path:
    """Return the file for the output of a child, outside of the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder.with_name(f'{folder.name}.log')


def kill_after_an_epoch(command: Sequence[str], place: Place,
                        folder: Path) -> None:
    """Start a training, and kill it in the second epoch.

    Args:
        command (Sequence[str]): Of the training.
        place (Place): Where to run.
        folder (Path): Working folder; emptied before.

    Raises:
        RuntimeError: If the training ended by itself.
    """
    shutil.rmtree(folder, ignore_errors=True)
    child = start_child(command, place, log_of(folder))
    while child.poll() is None:
        if (folder / 'last_checkpoint').is_file():
            child.send_signal(signal.SIGKILL)
            child.wait()
            return
        time.sleep(0.02)
    raise RuntimeError(f'the training to be killed in {folder} ended with '
                       f'{child.returncode} before')


def read_log(folder: Path, cfg: Config) -> Found:
    """Read curves, speed, waits and memory of a training.

    Args:
        folder (Path): Working folder; a resumed training has several logs.
        cfg (Config): Of the training.

    Returns:
        dict: ``loss`` and ``accuracy``, lists of (step, value); ``clips``, a
        second, of the median step; ``waited``, the share of the time without
        data for the device; ``gib``, peak memory of the GPU, if any.
    """
    lines: List[Found] = []
    for path in sorted(folder.glob('*/vis_data/*.json')):
        if path.name != 'scalars.json':
            lines += map(json.loads, path.read_text().splitlines())
    found: Found = dict(loss=[], accuracy=[], waited=[])
    times, memory, step = [], [0], 0
    for line in lines:
        if 'loss' in line:
            step = line.get('iter', step)
            found['loss'].append((step, line['loss']))
            times.append(line['time'])
            memory.append(line.get('memory', 0))
        elif 'acc/top1' in line:
            found['accuracy'].append((step, line['acc/top1']))
        if 'data/wait_share' in line:
            found['waited'].append(line['data/wait_share'])
    batch = cfg.train_dataloader.batch_size
    found['clips'] = batch / float(np.median(times)) if times else 0.
    found['waited'] = float(np.mean(found['waited'] or [0]))
    found['gib'] = max(memory) / 1024
    return found


def run_tests(row: Row, plan: Plan, place: Place, deadline: float) -> Found:
    """Test the last checkpoint of a training, in a process of its own.

    Args:
        row (Row): The row.
        plan (Plan): Of the row.
        place (Place): Where to run.
        deadline (float): Of ``time.time``.

    Returns:
        dict: Test to ``matrix``, true by predicted class, counts.

    Raises:
        OutOfTime: If the tests did not end in time.
        RuntimeError: If a test failed.
    """
    folder = place.work / row.key
    tests = {}
    for name in row.tests:
        cfg = row_config(row, plan, place.data, name == SHUFFLED)
        cfg.load_from = str(need_checkpoint(folder))
        cfg.work_dir = str(place.work / 'tests' / row.key / name)
        path = place.work / 'configs' / f'{row.key}_{name}.py'
        tests[name] = str(write_config(cfg, path))
    answer = place.work / 'tests' / f'{row.key}.json'
    answer.parent.mkdir(parents=True, exist_ok=True)
    answer.unlink(missing_ok=True)
    command = [__file__, json.dumps(tests), str(answer)]
    code = run_child(command, place, log_of(folder), deadline)
    if code == PREEMPTED:
        raise OutOfTime
    if code:
        raise RuntimeError(f'the tests of {row.key} failed with {code}: '
                           f'{log_of(folder).read_text()[-2000:]}')
    return json.loads(answer.read_text())


def test_matrix(config: str) -> List[List[int]]:
    """Test a model, and count predictions by true class.

    Args:
        config (str): A config file with ``load_from`` and ``work_dir``.

    Returns:
        list[list[int]]: Shape (classes, classes), true by predicted class.
    """
    import mmvideomamba  # isort: skip  # noqa: F401  heals the host
    import torch
    from mmengine.runner import Runner
    cfg = Config.fromfile(config)
    # Frames of a shuffled test are drawn in the workers, from the seed.
    cfg.test_dataloader.persistent_workers = False
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = None
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.param_scheduler = None
    runner = Runner.from_cfg(cfg)
    runner.load_or_resume()
    model = runner.model.eval()
    count = cfg.model.cls_head.num_classes
    matrix = np.zeros((count, count), int)
    device = next(model.parameters()).device
    amp = torch.autocast(
        device.type, torch.bfloat16, enabled=device.type == 'cuda')
    with torch.no_grad(), amp:
        for batch in Runner.build_dataloader(cfg.test_dataloader,
                                             cfg.randomness.seed):
            for sample in model.test_step(batch):
                matrix[int(sample.gt_label), int(sample.pred_label)] += 1
    return matrix.tolist()


def equal_weights(one: Path, other: Path) -> bool:
    """Compare the weights of two checkpoints, bit by bit.

    Args:
        one (Path): Working folder of a training.
        other (Path): Of another training.

    Returns:
        bool: Whether all weights are equal.
    """
    import torch

    from mmvideomamba.checkpoints import read_file
    states = [
        read_file(need_checkpoint(folder))['state_dict']
        for folder in (one, other)
    ]
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][k], states[1][k]) for k in states[0])


def run_row(row: Row, plan: Plan, place: Place, deadline: float) -> Found:
    """Train and test a row.

    Args:
        row (Row): The row.
        plan (Plan): Of the row.
        place (Place): Where to run.
        deadline (float): Of ``time.time``.

    Returns:
        dict: Of ``train``, ``tests`` and of the row.

    Raises:
        OutOfTime: If the row has to go on later.
        RuntimeError: If a training or a test failed.
    """
    found = train(row, plan, place, deadline)
    found['tests'] = run_tests(row, plan, place, deadline) if row.tests else {}
    return dict(row._asdict(), beside=place.beside, **found)


def unfinished_row(row: Row, plan: Plan, place: Place) -> Found:
    """Read what a row that is out of time has got so far.

    Args:
        row (Row): The row.
        plan (Plan): Of the row.
        place (Place): Where it ran.

    Returns:
        dict: As of ``run_row``, without tests, and with a ``remark``; empty
        if no step was logged.
    """
    cfg = row_config(row, plan, place.data, row.shuffled)
    found = read_log(place.work / row.key, cfg)
    if not found['loss']:
        return {}
    last = found['loss'][-1][0]
    whole = row.epochs * (
        plan.sets[row.data].train // cfg.train_dataloader.batch_size)
    ended = 'trained to the end' if last >= whole else \
        f'ended after {last} of {whole} steps'
    return dict(
        row._asdict(),
        beside=place.beside,
        tests={},
        remark=f'{ended}, not tested',
        **found)


def main() -> None:
    """Test as the parent process asks."""
    tests, answer = json.loads(sys.argv[1]), Path(sys.argv[2])
    found = {
        name: dict(matrix=test_matrix(config))
        for name, config in tests.items()
    }
    answer.write_text(json.dumps(found))


if __name__ == '__main__':
    main()
