"""Annotation files, checks of videos, and small generated data sets.

Imported at their first use, so that ``--help`` need not wait for torch.
"""
from mmvideomamba.late_names import late_names

_PLACES = dict(
    CheckSettings='media_check',
    EXTENSIONS='annotation_files',
    FileCheck='media_check',
    LOSSLESS='lossless_video',
    Listing='annotation_files',
    NoiseSettings='noise_set',
    SETTINGS_FILE='clip_set',
    ShardSet='video_shards',
    Videos='class_folders',
    build_msrvtt='msrvtt_lists',
    check_files='media_check',
    check_sources='clip_set',
    encode='clip_set',
    find_videos='class_folders',
    fold_videos='class_folders',
    index_videos='annotation_files',
    make_all='clip_set',
    make_noise_set='noise_set',
    make_settings='media_check',
    number_names='annotation_files',
    prepare_folder='clip_set',
    read_checks='check_report',
    read_table='annotation_files',
    split_videos='class_folders',
    summarize='check_report',
    write_lines='annotation_files',
    write_report='check_report',
    write_video_shards='video_shards',
)

__all__ = [*_PLACES]

__getattr__, __dir__ = late_names(__name__, _PLACES)
