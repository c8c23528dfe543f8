"""Options common to several commands."""
import argparse
import re
from pathlib import Path
from typing import Any, Optional

from mmengine.config import DictAction

# No argument of a command holds a null byte.
SPACE = '\0'


def _restore_spaces(value: Any) -> Any:
    """Put spaces into texts of a value, lists among them."""
    if isinstance(value, str):
        return value.replace(SPACE, ' ')
    if isinstance(value, (list, tuple)):
        return type(value)(map(_restore_spaces, value))
    return value


class ConfigOptionAction(DictAction):
    """Parse KEY=VALUE pairs; other text ends the command with a message.

    Spaces within a text stay, in paths and prompts; the host takes all out.
    """

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        """Read a value; spaces next to commas and in brackets do not count."""
        tight = re.sub(r' *, *|(?<=[\[(]) +| +(?=[\])])',
                       lambda found: found[0].strip(), val.strip('\'" '))
        parsed = DictAction._parse_iterable(tight.replace(' ', SPACE))
        return _restore_spaces(parsed)

    def __call__(self,
                 parser: argparse.ArgumentParser,
                 namespace: argparse.Namespace,
                 values: Any,
                 option_string: Optional[str] = None) -> None:
        """See :class:`argparse.Action`."""
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, ValueError) as error:
            parser.error(f'{option_string} {" ".join(values)}: expected '
                         f'KEY=VALUE pairs ({error})')


def add_config_options(parser: argparse.ArgumentParser,
                       auto: bool = False) -> None:
    """Add the config and ``--cfg-options`` to the arguments of a command.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
        auto (bool): Whether the command takes the name 'auto', as
            ``load_config`` does. Defaults to False.
    """
    parser.add_argument(
        'config',
        help='path of a config, name of one of ours, or working folder of a '
        'training' +
        ("; 'auto' for the recipe for own videos that fits this machine"
         if auto else ''))
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptionAction,
        default={},
        metavar='KEY=VALUE',
        help='change values of the config, for example optim_wrapper.'
        'optimizer.lr=1e-4 test_pipeline.UniformSample.num_clips=4 (items '
        'of lists by their type); lists as KEY=[a,b], quoted')


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options common to training and test, without the config.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument(
        '--work-dir',
        help='folder of logs, checkpoints and results; defaults to that of '
        'the config, else ./work_dirs/NAME_OF_THE_CONFIG')
    parser.add_argument(
        '--data-root',
        metavar='FOLDER',
        help='folder of videos with the lists and the classes.txt of '
        'tools/data/build_annotations.py; sets the number of classes, too')
    parser.add_argument(
        '--launcher',
        choices=('none', 'pytorch', 'slurm', 'mpi'),
        default='none',
        help='how the processes of this run were started')
    # torch.distributed.launch passes either spelling.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def data_root_parser(description: str, root: str) -> argparse.ArgumentParser:
    """Make a parser with the argument ``data_root``, a data set.

    Args:
        description (str): Of the script, shown by ``--help``.
        root (str): Usual folder of the data set, shown by ``--help``.

    Returns:
        argparse.ArgumentParser: The parser.
    """
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'data_root',
        type=Path,
        help=f'folder with videos/, in the configs {root}; the lists are '
        'written there')
    return parser
