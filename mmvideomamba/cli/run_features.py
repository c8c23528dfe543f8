"""The verb ``features``."""
import argparse
import sys
from pathlib import Path
from typing import Any, Dict, List

from tqdm import tqdm

from mmvideomamba.command_line import user_errors
from mmvideomamba.inference.inputs import input_name
from mmvideomamba.inference.predictor import Predictor, feature_files
from mmvideomamba.inference.predictor.feature_files import (TABLES,
                                                            FeatureFolder)
from mmvideomamba.inference.predictor.features import FeatureExtractor
from mmvideomamba.inference.predictor.tables import check_table
from .bad_inputs import report_bad_inputs
from .log_stream import logs_to_stderr


def settings_of(args: argparse.Namespace, extractor: FeatureExtractor,
                digest: int) -> Dict[str, Any]:
    """List what features depend on.

    Args:
        args (argparse.Namespace): See ``features.add_arguments``.
        extractor (FeatureExtractor): Of the command.
        digest (int): Of the weights.

    Returns:
        dict: Plain values for JSON.
    """
    plan = extractor.plan
    clips = plan.level == 'clip'
    return dict(
        level=plan.level,
        feature_stride=plan.row_stride,
        num_frames=plan.row_frames,
        clip_frames=plan.length,
        interval=None if clips else plan.interval,
        views=str(args.views) if clips else None,
        # Features of other weights must not be mixed in a folder.
        weights=digest)


def extract(extractor: FeatureExtractor, folder: FeatureFolder,
            names: Dict[str, str], items: List[Any],
            settings: Dict[str, Any]) -> List[str]:
    """Write the features of all videos that are not there yet.

    Args:
        extractor (FeatureExtractor): Of the command.
        folder (FeatureFolder): Takes the files.
        names (dict[str, str]): Name of each input.
        items (list): The inputs.
        settings (dict): See ``settings_of``.

    Returns:
        list[str]: Errors of bad inputs.
    """
    left = [
        item for item in items
        if not folder.is_done(names[input_name(item)], input_name(item))
    ]
    if len(left) < len(items):
        sys.stderr.write(f'{len(items) - len(left)} of {len(items)} inputs '
                         'are done already\n')
    more = {
        key: settings[key]
        for key in ('level', 'feature_stride', 'num_frames')
    }
    bad = []
    for one in tqdm(extractor.run(left), 'features', len(left), disable=None):
        if one.error is not None:
            bad.append(one.error)
        else:
            folder.save(names[one.input], one, more)
    return bad


def run(args: argparse.Namespace) -> int:
    """Extract features, and write the files.

    Args:
        args (argparse.Namespace): See ``features.add_arguments``.

    Returns:
        int: Exit code: 0, or ``BAD_INPUT``.

    Raises:
        SystemExit: For a mistake of the user, with a message.
    """
    with user_errors(), logs_to_stderr():
        out = Path(args.out)
        table = out.suffix in TABLES
        if table:
            check_table(out, TABLES)
        if args.views != 'all' and args.level != 'clip':
            raise ValueError(f'--views {args.views}: views are clips of the '
                             'test, for --level clip; leave them out')
        predictor = Predictor(args.model, args.device, args.batch_size,
                              args.workers, args.views, args.config)
        extractor = predictor.feature_extractor(args.level, args.interval,
                                                args.stride)
        # A video named twice has one file of features.
        items = list(dict.fromkeys(predictor.list_inputs(args.inputs)))
        paths = [input_name(item) for item in items]
        names = dict(zip(paths, feature_files.file_names(paths)))
        settings = settings_of(args, extractor,
                               feature_files.weights_digest(extractor.model))
        # A table is written at the end; the parts let an interrupted command
        # go on.
        parts = out.with_name(f'{out.name}.parts') if table else out
        if table and parts.exists() and not (parts /
                                             feature_files.SETTINGS).is_file():
            raise ValueError(f'{parts} is in the way and not of this command; '
                             'rename it, or choose another --out')
        folder = FeatureFolder(parts, settings)
        bad = extract(extractor, folder, names, items, settings)
        done = [
            name for path, name in names.items() if folder.is_done(name, path)
        ]
        if table and done:
            feature_files.write_table(out, folder, done)
            # The parts stay after bad inputs: the next call reads the bad
            # inputs alone.
            if not bad:
                feature_files.remove_parts(folder)
        sys.stderr.write(f'features of {len(done)} inputs: {out}\n')
        return report_bad_inputs(bad, len(items), 'done')
