"""Tar shards of the videos of a list, for network file systems."""
import contextlib
import errno
import functools
import io
import os
import tarfile
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Sequence, Union

import numpy as np
from mmengine.logging import print_log

from mmvideomamba.atomic_file import draft_of, finish_file, write_file
from ..annotation_faults import fault_list
from ..captions.shard_counts import CountFile, count_path, count_samples
from ..captions.tar_shard import ShardCutError, TarShard
from .shard_list import Listed, place_name, read_list

SHARD_BYTES = 2**30
FULL = (errno.ENOSPC, errno.EDQUOT)
ANEW = 'Choose another out_dir, or pass overwrite=True.'


class ShardSet(NamedTuple):
    """The shards of a list.

    Args:
        ann_file (Path): The new list, for ``ShardVideoDataset``.
        count_file (Path): Counts of samples, see ``ShardRecords``.
        shards (list[Path]): In the order of the list.
        videos (int): In all shards.
        kept (int): Shards finished by an earlier run.
    """
    ann_file: Path
    count_file: Path
    shards: List[Path]
    videos: int
    kept: int


class _Planned(NamedTuple):
    """A video at its place: names within the shard, and the content."""
    video: Listed
    medium: tarfile.TarInfo
    label: tarfile.TarInfo


def write_video_shards(ann_file: Union[str, Path],
                       root: Union[str, Path],
                       out_dir: Union[str, Path],
                       delimiter: str = ' ',
                       shard_bytes: int = SHARD_BYTES,
                       seed: Optional[int] = 0,
                       overwrite: bool = False) -> ShardSet:
    """Pack the videos of a list into tar shards.

    A list ``train.txt`` becomes ``train-000000.tar`` and so on, the list
    ``train.txt`` of the places in the shards, and the counts
    ``train.counts.json``. A sample is the video and a ``.txt`` with the
    labels, as in the list, next to each other. WebDataset and
    ``CaptionDataset`` read the shards as well.

    A shard is written under another name, read again, and renamed. Finished
    shards of an earlier run are compared with the list and stay; the new
    list comes last, and is there for whole sets alone.

    Args:
        ann_file (str | Path): Lines of a path and labels.
        root (str | Path): Folder of the videos.
        out_dir (str | Path): Folder of the shards; made if missing.
        delimiter (str): Between the columns of both lists. Defaults to ' '.
        shard_bytes (int): Largest size of a shard in bytes, but for a single
            larger video. Defaults to 1 GiB.
        seed (int, optional): Shuffles the videos once, so that reading on in
            a shard mixes the classes. None keeps the order of the list.
            Defaults to 0.
        overwrite (bool): Whether shards of other content are replaced, and
            removed where the new set has fewer. Defaults to False.

    Returns:
        ShardSet: The files.

    Raises:
        FileNotFoundError: If the list or a video does not exist.
        FileExistsError: If ``out_dir`` holds other shards of the same names.
        OSError: If the disk is full; finished shards stay for the next run.
        ValueError: If the list is empty, has a line of another form, or a
            video twice; if a video changes meanwhile, or an argument is not
            allowed.
    """
    if shard_bytes < 1:
        raise ValueError(f'shard_bytes must be at least 1, not {shard_bytes}')
    ann_file, out_dir = Path(ann_file), Path(out_dir)
    listing = out_dir / ann_file.name
    if listing.resolve() == ann_file.resolve():
        raise ValueError(f'out_dir {out_dir} holds {ann_file} itself, which '
                         'the new list would replace; choose another folder')
    videos = _shuffled(read_list(ann_file, Path(root), delimiter), seed)
    plan = _plan(videos, shard_bytes)
    shards = [
        out_dir / f'{ann_file.stem}-{number:06d}.tar'
        for number in range(len(plan))
    ]
    lines = [
        delimiter.join([f'{shard.name}/{one.medium.name}', *one.video.columns])
        for shard, samples in zip(shards, plan) for one in samples
    ]
    text = ''.join(f'{line}\n' for line in lines)
    out_dir.mkdir(parents=True, exist_ok=True)
    counts = Path(count_path(str(listing)))
    _clear(listing, text, counts, shards, overwrite)
    kept = 0
    with _full_disk(out_dir):
        for shard, samples in zip(shards, plan):
            kept += _write_or_keep(shard, samples, overwrite)
        found = CountFile(
            str(counts), headers=True).update(
                list(map(str, shards)),
                functools.partial(
                    count_samples, skip_rest=False, headers=True))
        total = sum(count.samples for count in found)
        if total != len(videos):
            raise ValueError(f'{out_dir} has {total} samples of {len(videos)} '
                             f'videos of {ann_file}; another process writes '
                             'there. End it and run again')
        write_file(listing, text)
    return ShardSet(listing, counts, shards, total, kept)


def _shuffled(videos: List[Listed], seed: Optional[int]) -> List[Listed]:
    """Return the videos in the order of the shards."""
    if seed is None:
        return videos
    order = np.random.default_rng(seed).permutation(len(videos))
    return [videos[i] for i in order]


def _plan(videos: Sequence[Listed], limit: int) -> List[List[_Planned]]:
    """Share the videos out to shards of limited size."""
    plan: List[List[_Planned]] = []
    # Full from the start: the first video begins the first shard.
    size = limit
    for video in videos:
        one = _place(video, len(plan[-1]) if plan else 0)
        if size + _size(one) > limit:
            plan.append([])
            # The end mark of a tar file, filled up as tarfile does.
            one, size = _place(video, 0), tarfile.RECORDSIZE
        plan[-1].append(one)
        size += _size(one)
    return plan


def _place(video: Listed, number: int) -> _Planned:
    """Name the parts of a sample."""
    stem, ending = place_name(video.name)
    # The number leads the name: ShardVideoDataset finds a listed sample
    # without a search.
    medium = tarfile.TarInfo(f'{number:06d}/{stem}{ending}')
    label = tarfile.TarInfo(f'{number:06d}/{stem}.txt')
    medium.size, label.size = video.size, len(_label(video))
    return _Planned(video, medium, label)


def _label(video: Listed) -> bytes:
    """Return the content of the label file."""
    return ' '.join(video.columns).encode()


def _size(one: _Planned) -> int:
    """Return the bytes of a sample within a tar file, headers too."""
    block = tarfile.BLOCKSIZE
    return sum(
        len(info.tobuf(tarfile.PAX_FORMAT)) + -(-info.size // block) * block
        for info in (one.medium, one.label))


def _clear(listing: Path, text: str, counts: Path, shards: Sequence[Path],
           overwrite: bool) -> None:
    """Remove files of an earlier set of other content, if allowed."""
    if listing.exists() and listing.read_bytes() != text.encode():
        if not overwrite:
            raise FileExistsError(f'{listing} lists other videos or places. '
                                  f'{ANEW}')
        # The list goes first: a list without all shards would pass for a whole
        # set.
        listing.unlink()
        counts.unlink(missing_ok=True)
    stem = f'{listing.stem}-'
    extra = sorted(
        path for path in listing.parent.glob('*.tar')
        if path.name.startswith(stem) and path.stem[len(stem):].isdigit()
        and path not in set(shards))
    if extra and not overwrite:
        raise FileExistsError(
            fault_list(
                f'{listing.parent} holds {len(extra)} shards more than the '
                f'{len(shards)} of this set', [path.name for path in extra],
                ANEW))
    for path in extra:
        path.unlink()
        counts.unlink(missing_ok=True)


@contextlib.contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    """Say in a line that the disk is full, and how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise OSError(
            error.errno, f'the disk of {folder} is full; free space there and '
            'run again: finished shards stay, and the run goes on after '
            'them') from error


def _write_or_keep(shard: Path, samples: Sequence[_Planned],
                   overwrite: bool) -> bool:
    """Write a shard; return whether it was there before."""
    if shard.exists():
        newest = max(one.video.mtime for one in samples)
        fault = _fault(shard, samples)
        cut = isinstance(fault, ShardCutError)
        if fault is None and os.stat(shard).st_mtime_ns >= newest:
            return True
        if fault is not None and not (cut or overwrite):
            raise FileExistsError(f'{fault}. {ANEW}') from fault
        reason = fault or f'shard {shard} is older than one of its videos'
        print_log(f'{reason}; it is written anew', 'current', 30)
    draft = draft_of(shard)
    try:
        with tarfile.open(draft, 'w', format=tarfile.PAX_FORMAT) as tar:
            for one in samples:
                _add(tar, one)
        wrong = _fault(draft, samples)
        if wrong is not None:
            raise wrong
        finish_file(shard)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    print_log(f'{shard}: {len(samples)} videos', 'current')
    return False


def _add(tar: tarfile.TarFile, one: _Planned) -> None:
    """Add a sample to a shard."""
    path, size = one.video.path, one.video.size
    with open(path, 'rb') as file:
        if os.fstat(file.fileno()).st_size == size:
            tar.addfile(one.medium, file)
        # Neither shorter nor longer than the header says.
        if file.tell() != size or file.read(1):
            raise ValueError(f'{path} changed while it was packed; run again '
                             'when nothing writes it')
    tar.addfile(one.label, io.BytesIO(_label(one.video)))


def _fault(path: Path, samples: Sequence[_Planned]) -> Optional[ValueError]:
    """Return the fault of a shard, by headers and labels."""
    try:
        with TarShard(str(path)) as shard:
            for number, one in enumerate(samples):
                if not shard.reach(number):
                    break
                place = shard.place(number)
                label = shard.content(*place.caption)
                if (place.name, place.medium[1], label) != (one.medium.name,
                                                            one.medium.size,
                                                            _label(one.video)):
                    return ValueError(
                        f'shard {path} holds another sample {number}: '
                        f'{place.name!r}, not {one.medium.name!r}, or other '
                        'labels or size')
            if shard.read_on() or shard.count != len(samples):
                return ValueError(f'shard {path} does not hold '
                                  f'{len(samples)} samples')
    except ValueError as error:
        return error
    return None
