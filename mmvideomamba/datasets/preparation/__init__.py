"""Annotation files, checks of videos, and small generated data sets."""
from .annotation_files import (EXTENSIONS, Listing, index_videos, number_names,
                               read_table, write_lines)
from .check_report import read_checks, summarize, write_report
from .class_folders import Videos, find_videos, fold_videos, split_videos
from .clip_set import (SETTINGS_FILE, encode, ffmpeg_binary, make_all,
                       prepare_folder)
from .media_check import CheckSettings, FileCheck, check_files, make_settings
from .msrvtt_lists import build_msrvtt
from .video_shards import ShardSet, write_video_shards

__all__ = [
    'CheckSettings', 'EXTENSIONS', 'FileCheck', 'Listing', 'SETTINGS_FILE',
    'ShardSet', 'Videos', 'build_msrvtt', 'check_files', 'encode',
    'ffmpeg_binary', 'find_videos', 'fold_videos', 'index_videos',
    'make_settings', 'make_all', 'number_names', 'prepare_folder',
    'read_checks', 'read_table', 'split_videos', 'summarize', 'write_lines',
    'write_report', 'write_video_shards'
]
