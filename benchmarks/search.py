"""Time exact search over windows on the disk.

    python benchmarks/search.py --out benchmarks/results/search.md

Indexes of random unit vectors, 100 windows a video, are written by the code
that indexes videos. A fresh process opens and searches each index, so
the growth of memory is of the search alone. Pages of the mapped matrix belong
to the system, to be taken back where memory is short: the table has a column
for mapped pages.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Callable, Dict, List

import mmvideomamba  # isort: skip  # noqa: F401  heals the hosts, goes first
import numpy as np
from cpu_models import cpu_name, show

from mmvideomamba.inference.search import VideoIndex, VideoRecord
from mmvideomamba.inference.search.store import StoreWriter

PER_VIDEO = 100
COLUMNS = dict(
    windows='windows',
    precision='precision',
    size='index MiB',
    open='open ms',
    first='first query ms',
    best='query ms, best',
    median='query ms, median',
    once='one a video ms, best',
    eight='8 vectors ms, best',
    own='memory MiB',
    mapped='mapped pages MiB')


def write_index(folder: Path, windows: int, dim: int, precision: str) -> None:
    """Write an index of random vectors.

    Args:
        folder (Path): New folder, for the index and empty videos.
        windows (int): Number of windows.
        dim (int): Channels.
        precision (str): Of the vectors.
    """
    rng = np.random.default_rng(0)
    model: Dict[str, Any] = dict(
        fingerprint='0' * 64, embed_dim=dim, token_shape=None, description={})
    index = VideoIndex.create(
        folder / 'index', model, window=4, precision=precision)
    videos = folder / 'videos'
    videos.mkdir()
    writer = StoreWriter(index.store)
    for first in range(0, windows, PER_VIDEO):
        count = min(PER_VIDEO, windows - first)
        vectors = rng.standard_normal((count, dim), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        starts = np.arange(count) * 4.
        path = videos / f'{first}.mp4'
        path.touch()
        state = path.stat()
        record = VideoRecord(
            str(videos), path.name, 0, state.st_mtime_ns, '0' * 32)
        writer.append(record, vectors, np.stack([starts, starts + 4], 1))
    writer.commit()
    writer.close()


def memory() -> Dict[str, float]:
    """Return memory of this process by kind, MiB."""
    lines = Path('/proc/self/status').read_text().splitlines()
    pairs = (line.partition(':')[::2] for line in lines)
    return {
        key: int(value.split()[0]) / 1024
        for key, value in pairs if value.endswith(' kB')
    }


def times_of(call: Callable[[Any], Any], queries: List[Any]) -> List[float]:
    """Return the milliseconds of calls."""
    found = []
    for query in queries:
        start = time.perf_counter()
        call(query)
        found.append(1e3 * (time.perf_counter() - start))
    return found


def measure(folder: Path, rounds: int) -> Dict[str, float]:
    """Search an index, in this process.

    Args:
        folder (Path): The index.
        rounds (int): Number of queries of each kind.

    Returns:
        dict[str, float]: See ``COLUMNS``.
    """
    # Once, so libraries have allocated before.
    np.ones((64, 64), np.float32) @ np.ones((64, 64), np.float32)
    Path('/proc/self/clear_refs').write_text('5')  # forget the peak so far
    before = memory()
    start = time.perf_counter()
    index = VideoIndex.open(folder)
    opened = 1e3 * (time.perf_counter() - start)
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((8 * rounds, index.settings.embed_dim),
                                  np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, = times_of(index.query, [vectors[0]])
    many = times_of(index.query, list(vectors[:rounds]))
    once = times_of(lambda one: index.query(one, per_video=1),
                    list(vectors[:rounds]))
    eight = times_of(index.neighbours,
                     list(vectors.reshape(rounds, 8, vectors.shape[1])))
    after = memory()
    mapped = after['RssFile'] - before['RssFile']
    return dict(
        open=opened,
        first=first,
        best=min(many),
        median=statistics.median(many),
        once=min(once),
        eight=min(eight),
        own=after['VmHWM'] - before['VmRSS'] - mapped,
        mapped=mapped)


def run_case(windows: int, precision: str,
             args: argparse.Namespace) -> Dict[str, Any]:
    """Write an index, and search in a fresh process."""
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        write_index(folder, windows, args.dim, precision)
        index = folder / 'index'
        size = sum(f.stat().st_size for f in index.rglob('*') if f.is_file())
        run = subprocess.run([
            sys.executable, __file__, '--measure',
            str(index), '--rounds',
            str(args.rounds)
        ],
                             env=dict(
                                 os.environ,
                                 OMP_NUM_THREADS=str(args.threads)),
                             stdout=subprocess.PIPE,
                             check=True)
    found = json.loads(run.stdout.splitlines()[-1])
    return dict(found, windows=windows, precision=precision, size=size / 2**20)


def parse(argv: List[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--windows', type=int, nargs='+', default=[10_000, 100_000, 1_000_000])
    parser.add_argument(
        '--precisions', nargs='+', default=['float32', 'float16'])
    parser.add_argument('--dim', type=int, default=256)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--folder', help='for the indexes (default: /tmp)')
    parser.add_argument('--out', type=Path)
    parser.add_argument('--measure', type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: List[str]) -> None:
    """Measure, and write the table."""
    args = parse(argv)
    if args.measure:
        print(json.dumps(measure(args.measure, args.rounds)))
        return
    load = os.getloadavg()[0]
    rows = [
        run_case(windows, precision, args) for windows in args.windows
        for precision in args.precisions
    ]
    lines = [
        '# Exact search over windows on the disk', '',
        f'    python benchmarks/search.py {" ".join(argv)}', '',
        f'{cpu_name()}, {args.threads} of {os.cpu_count()} cores; numpy '
        f'{version("numpy")}, Python {platform.python_version()}; '
        f'{platform.system()}; {time.strftime("%Y-%m-%d")}. Load of the '
        f'machine by other work: {load:.1f} before the run, '
        f'{os.getloadavg()[0]:.1f} at its end; so best is nearer to an idle '
        'machine than median.', '',
        f'Random unit vectors of {args.dim} channels, {PER_VIDEO} windows a '
        f'video, 10 hits, {args.rounds} queries of each kind; files in the '
        "system's cache. Memory is the growth of the process at its peak: its "
        'own, and the pages of the mapped matrix, which the system takes back '
        'where memory is short.', '',
        '| ' + ' | '.join(COLUMNS.values()) + ' |', '|---' * len(COLUMNS) + '|'
    ]
    for row in rows:
        cells = [
            f'{row[key]:.1f}' if isinstance(row[key], float) else str(row[key])
            for key in COLUMNS
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    show(lines, args.out)


if __name__ == '__main__':
    main(sys.argv[1:])
