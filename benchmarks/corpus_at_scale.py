"""Run a corpus of 25 million captions for 8 ranks x 8 workers, rank by rank.

    python benchmarks/corpus_at_scale.py FOLDER \
        > benchmarks/results/corpus_at_scale.md

FOLDER gets about 6 GB: 2,500 shards, links to four tar files of 10,000 small
samples, a file of JSON lines, an SQLite file, and a JSON list of a million.
Media are not decoded. Each kind of source runs in a process of its own; a
rank is simulated by telling the samplers a number. Times are processor time
of the process, as others may use the machine. Memory is Pss: shared pages
are divided among the processes that share them.
"""
import argparse
import io
import itertools
import json
import multiprocessing
import os
import platform
import sqlite3
import tarfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np
import torch
from mmengine.dataset import DefaultSampler
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from mmvideomamba.datasets import CaptionDataset
from mmvideomamba.datasets.samplers import (PlacedSampler, ShardSampler,
                                            placed_sampler, shard_sampler)

SHARD_SAMPLES = 10_000
REAL_SHARDS = 4
TO_COUNT = 50  # shards left out of the count file
BATCH = 128
SOURCES = dict(
    tar='s/*.tar', jsonl='a.jsonl', sqlite='a.sqlite', json='a.json')
LIST_SAMPLES = 1_000_000  # of the JSON list
TICKS = os.sysconf('SC_CLK_TCK')
SEED = 3


def write_corpus(folder: Path, captions: int) -> None:
    """Write what does not exist yet.

    Args:
        folder (Path): Created.
        captions (int): Of each source; a multiple of ``SHARD_SAMPLES``.
    """
    (folder / 's').mkdir(parents=True, exist_ok=True)
    for number in range(REAL_SHARDS):
        path = folder / f'real-{number}.tar'
        if not path.exists():
            _write_shard(path, number)
    for number in range(captions // SHARD_SAMPLES):
        link = folder / 's' / f'{number:05d}.tar'
        if not link.exists():
            link.symlink_to(f'../real-{number % REAL_SHARDS}.tar')
    if not (folder / 'a.jsonl').exists():
        with open(folder / 'a.jsonl', 'w') as file:
            for name, text in _pairs(captions):
                file.write(f'{{"video": "{name}", "caption": "{text}"}}\n')
    if not (folder / 'a.json').exists():
        count = min(captions, LIST_SAMPLES)
        entries = [dict(video=v, caption=c) for v, c in _pairs(count)]
        (folder / 'a.json').write_text(json.dumps(entries))
    if not (folder / 'a.sqlite').exists():
        with sqlite3.connect(folder / 'a.sqlite') as database:
            database.execute('CREATE TABLE annos(id INTEGER PRIMARY KEY, '
                             'filename TEXT, caption TEXT)')
            database.executemany('INSERT INTO annos VALUES (?, ?, ?)',
                                 ((i, *pair)
                                  for i, pair in enumerate(_pairs(captions))))
        database.close()


def _pairs(captions: int) -> Iterator[Tuple[str, str]]:
    for i in range(captions):
        yield (f'{i % 1000:03d}/{i:08d}.mp4',
               f'a person number {i} walks over a bridge in the rain')


def _write_shard(path: Path, number: int) -> None:
    with tarfile.open(path, 'w') as file:
        for i in range(SHARD_SAMPLES):
            text = b'a person walks over bridge %d of %d' % (i, number)
            meta = json.dumps(dict(caption=text.decode(), url='u')).encode()
            for ending, content in (('jpg', bytes(400)), ('json', meta),
                                    ('txt', text)):
                member = tarfile.TarInfo(f'{i:09d}.{ending}')
                member.size = len(content)
                file.addfile(member, io.BytesIO(content))


def write_counts(folder: Path) -> None:
    """Write the counts of all shards but ``TO_COUNT``.

    Args:
        folder (Path): Of the corpus.
    """
    counts = {}
    for path in sorted((folder / 's').iterdir())[TO_COUNT:]:
        state = path.stat()
        counts[f's/{path.name}'] = dict(
            samples=SHARD_SAMPLES,
            bytes=state.st_size,
            mtime=state.st_mtime_ns)
    (folder / 'counts.json').write_text(json.dumps(counts))


def pss(pid: int = 0) -> float:
    """Return the memory of a process, in MiB.

    Args:
        pid (int): The process. Defaults to 0, this one.

    Returns:
        float: Proportional set size.
    """
    lines = Path(f'/proc/{pid or "self"}/smaps_rollup').read_text()
    return int(lines.split('\nPss:')[1].split()[0]) / 1024


def peak() -> float:
    """Return the largest resident size of this process so far, in MiB."""
    lines = Path('/proc/self/status').read_text()
    return int(lines.split('VmHWM:')[1].split()[0]) / 1024


def processor_time(pid: int) -> float:
    """Return the time that a process has used, in seconds.

    Args:
        pid (int): The process.

    Returns:
        float: In user and system mode.
    """
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def timed(call: Callable[[], Any]) -> Tuple[Any, float]:
    """Call, and measure the processor time.

    Args:
        call (Callable): Without arguments.

    Returns:
        tuple[Any, float]: The result, and seconds.
    """
    start = time.process_time()
    return call(), time.process_time() - start


def text_only(sample: dict) -> int:
    """Stand in for the pipeline.

    Args:
        sample (dict): Of the data set; shards bring the medium's bytes.

    Returns:
        int: Number of the characters.
    """
    return len(sample['text'])


class Ranks:
    """Tell the samplers a rank.

    Args:
        world (int): Number of ranks.
    """

    def __init__(self, world: int) -> None:
        self.world, self.rank = world, 0
        for module in (shard_sampler, placed_sampler):
            setattr(module, 'get_dist_info', lambda: (self.rank, self.world))


def build(kind: str, folder: Path) -> CaptionDataset:
    """Build the data set.

    Args:
        kind (str): Key of ``SOURCES``.
        folder (Path): Of the corpus.

    Returns:
        CaptionDataset: With ``text_only`` as pipeline.
    """
    source = dict(ann_file=SOURCES[kind])
    if kind == 'tar':
        source['count_file'] = 'counts.json'
    return CaptionDataset([source], [text_only], 'video', str(folder))


def check_order(dataset: CaptionDataset, ranks: Ranks,
                workers: int) -> Dict[str, Any]:
    """Go through an epoch of all ranks, then resume rank 0 in the middle.

    Args:
        dataset (CaptionDataset): The data.
        ranks (Ranks): Tells the samplers.
        workers (int): Of each rank.

    Returns:
        dict[str, Any]: Rows of the table.
    """
    seen = np.zeros(len(dataset), np.uint8)
    seconds, steps, jumps = 0., 0, []
    for ranks.rank in range(ranks.world):
        sampler = ShardSampler(
            dataset, seed=SEED, num_workers=workers, batch_size=BATCH)
        sampler.set_epoch(1)
        numbers, spent = timed(
            lambda: np.fromiter(sampler, np.int64, len(sampler)))
        np.add.at(seen, numbers, 1)
        seconds, steps = seconds + spent, steps + len(numbers)
        jumps.append(np.mean(np.diff(numbers) == 1))
        if not ranks.rank:
            first = numbers
    ranks.rank = 0
    sampler = ShardSampler(
        dataset, seed=SEED, num_workers=workers, batch_size=BATCH)
    sampler.set_epoch(1)
    places = PlacedSampler(sampler, SEED)
    places.first = len(sampler) // 2 // BATCH * BATCH
    resumed = iter(places)
    number, reached = timed(lambda: next(resumed))
    again = [number]
    again += itertools.islice(resumed, 10 * BATCH - 1)
    same = again == first[places.first:places.first + len(again)].tolist()
    return {
        'samples drawn per epoch, never / once / twice':
        ' / '.join(str(int((seen == n).sum())) for n in range(3)),
        'neighbours in the order with neighbouring numbers':
        f'{100 * np.mean(jumps):.2f} %',
        'sampler, a rank and epoch':
        f'{seconds / ranks.world:.2f} s',
        'resumed in the middle: to the first number':
        f'{reached:.2f} s',
        'the next 10 batches are those of the whole epoch':
        'yes' if same else 'NO'
    }


def watch_workers(dataset: CaptionDataset, workers: int,
                  batches: int) -> Dict[str, Any]:
    """Read a part of an epoch with forked workers.

    Args:
        dataset (CaptionDataset): The data.
        workers (int): How many.
        batches (int): Of ``BATCH`` samples.

    Returns:
        dict[str, Any]: Rows of the table.
    """
    sampler = ShardSampler(
        dataset, seed=SEED, num_workers=workers, batch_size=BATCH)
    loader = DataLoader(
        dataset,
        BATCH,
        sampler=sampler,
        num_workers=workers,
        multiprocessing_context='fork')
    found: List[List[float]] = []
    for number, _ in enumerate(loader, 1):
        if number in (workers, batches // 2, batches):
            pids = [p.pid for p in multiprocessing.active_children()]
            found.append([pss(pid or 0) for pid in pids])
            seconds = sum(processor_time(pid or 0) for pid in pids)
        if number == batches:
            break
    each = 1000 * seconds / batches / BATCH
    mean, most = ([f'{f(one):.0f}' for one in found] for f in (np.mean, max))
    return {
        f'Pss of a worker at batch {workers}, {batches // 2}, {batches}':
        f'{", ".join(mean)} MiB',
        'the same, the largest worker': f'{", ".join(most)} MiB',
        'workers, from start to end, per sample': f'{each:.2f} ms'
    }


def default_sampler(dataset: CaptionDataset) -> Dict[str, Any]:
    """Measure the sampler of the host, for comparison.

    Args:
        dataset (CaptionDataset): The data.

    Returns:
        dict[str, Any]: Rows of the table.
    """
    before = peak()
    _, seconds = timed(lambda: next(iter(DefaultSampler(dataset, seed=1))))
    return {
        'DefaultSampler: first number, peak added':
        f'{seconds:.1f} s, {max(peak() - before, 0):.0f} MiB'
    }


def run(kind: str, args: argparse.Namespace, results: Any) -> None:
    """Measure a kind of source.

    Args:
        kind (str): Key of ``SOURCES``.
        args (Namespace): Of the command line.
        results (Any): A queue for the rows of the table.
    """
    ranks, rows = Ranks(args.ranks), {}
    if kind == 'tar':
        write_counts(args.folder)
        _, seconds = timed(lambda: build(kind, args.folder))
        rows[f'start that counts {TO_COUNT} shards'] = f'{seconds:.1f} s'
    memory, top = pss(), peak()
    dataset, seconds = timed(lambda: build(kind, args.folder))
    rows['samples'] = str(len(dataset))
    rows['start of a rank'] = f'{seconds:.2f} s'
    rows['memory of a rank, kept and peak'] = (
        f'{max(pss() - memory, 0):.0f} and {max(peak() - top, 0):.0f} MiB')
    rows.update(watch_workers(dataset, args.workers, args.batches))
    rows.update(check_order(dataset, ranks, args.workers))
    rows.update(default_sampler(dataset))
    results.put(rows)


def quietly(*args: Any) -> None:
    """Call ``run`` in a new process, with nothing but the table printed.

    Args:
        *args (Any): Of ``run``.
    """
    MMLogger.get_instance('corpus', log_level='ERROR')
    torch.set_num_threads(1)
    run(*args)


def main() -> None:
    """Write the corpus, measure each source and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--captions', type=int, default=25_000_000)
    parser.add_argument('--ranks', type=int, default=8)
    parser.add_argument('--workers', type=int, default=8)
    parser.add_argument('--batches', type=int, default=400)
    args = parser.parse_args()
    write_corpus(args.folder, args.captions)
    context = multiprocessing.get_context('spawn')
    found: Dict[str, Dict[str, Any]] = {}
    for kind in SOURCES:
        results: Any = context.Queue()
        process = context.Process(target=quietly, args=(kind, args, results))
        process.start()
        found[kind] = results.get()
        process.join()
    names = list(dict.fromkeys(k for rows in found.values() for k in rows))
    print('# A corpus of 25 million captions\n')
    print(f'{args.captions} captions, {args.ranks} ranks x {args.workers} '
          f'workers, batches of {BATCH}; torch {torch.__version__}, Python '
          f'{platform.python_version()}, SQLite {sqlite3.sqlite_version}, '
          f'{os.cpu_count()} cores of {platform.machine()}\n')
    print('| | ' + ' | '.join(found) + ' |')
    print('|---' * (1 + len(found)) + '|')
    for name in names:
        cells = [str(rows.get(name, '-')) for rows in found.values()]
        print(f'| {name} | ' + ' | '.join(cells) + ' |')


if __name__ == '__main__':
    main()
