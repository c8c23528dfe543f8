"""Annotation files, and small data sets that are generated."""
from .annotation_files import (EXTENSIONS, Listing, index_videos, number_names,
                               read_table, write_lines)
from .class_folders import (Videos, check_video, check_videos, find_videos,
                            split_videos)
from .clip_set import (SETTINGS_FILE, encode, ffmpeg_binary, make_all,
                       prepare_folder)

__all__ = [
    'EXTENSIONS', 'Listing', 'SETTINGS_FILE', 'Videos', 'check_video',
    'check_videos', 'encode', 'ffmpeg_binary', 'find_videos', 'index_videos',
    'make_all', 'number_names', 'prepare_folder', 'read_table', 'split_videos',
    'write_lines'
]
