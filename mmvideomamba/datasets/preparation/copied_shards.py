"""Copied videos packed into tar shards, list by list."""
import os
from pathlib import Path
from typing import Dict, List, Sequence

from mmvideomamba.datasets.annotation_faults import fault_list
from .media_list import MediaList
from .video_shards import write_video_shards

SHARDS = 'shards'  # folder of the shards


def check_for_shards(lists: Sequence[MediaList]) -> None:
    """Refuse lists that shards cannot hold, before anything is copied.

    Args:
        lists (Sequence[MediaList]): The lists.

    Raises:
        ValueError: For a caption file, a video named twice in a list, or
            lists whose shards would have the same names.
    """
    stems: Dict[str, str] = {}
    for media in lists:
        stem = os.path.splitext(os.path.abspath(media.path))[0]
        other = stems.setdefault(stem, media.path)
        if other != media.path:
            raise ValueError(f'the shards of {other} and {media.path} would '
                             'have the same names; rename a list, or leave '
                             '--shards out')
        if media.form == 'captions':
            raise ValueError(f'{media.path} is a caption file; --shards packs '
                             'the videos of annotation files')
        seen = set()
        twice = []
        for entry in media.entries:
            if entry.file in seen:
                twice.append(f'line {entry.line}: {entry.path}')
            seen.add(entry.file)
        if twice:
            raise ValueError(
                fault_list(
                    f'{media.path} names {len(twice)} videos again, and '
                    'shards hold a video once', twice,
                    'Leave the lines or --shards out.'))


def write_shards(lists: Sequence[MediaList], paths: Sequence[Path],
                 starts: Sequence[Path], folder: Path,
                 shard_bytes: int) -> List[str]:
    """Pack the copies of each list; shards of unchanged copies stay.

    Args:
        lists (Sequence[MediaList]): The lists, for the delimiters.
        paths (Sequence[Path]): The new lists.
        starts (Sequence[Path]): Folder of the paths of each new list.
        folder (Path): Of the set; the shards go to ``shards`` below it.
        shard_bytes (int): Largest size of a shard, in bytes.

    Returns:
        list[str]: A text for each list.

    Raises:
        OSError: If the disk is full, for example.
    """
    told = []
    for media, path, start in zip(lists, paths, starts):
        target = folder / SHARDS / os.path.relpath(path.parent, folder)
        # The folder belongs to the tool: shards of changed copies are
        # overwritten.
        made = write_video_shards(
            path, start, target, media.delimiter, shard_bytes, overwrite=True)
        told.append(f'{made.ann_file}: {made.videos} videos in '
                    f'{len(made.shards)} shards, {made.kept} were there')
    return told
