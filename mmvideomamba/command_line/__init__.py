"""Parts of the commands in ``tools`` and ``demo``."""
from mmvideomamba.process_group import leave_process_group
from .config import (CONFIGS, HOSTS, default_scope, fill_dataloader,
                     find_config, load_config)
from .config_options import merge_options
from .errors import require_files, user_errors
from .host_tools import find_tool
from .kept_checkpoint import kept_checkpoint
from .options import (ConfigOptionAction, add_config_options, add_run_options,
                      data_root_parser)
from .run_parts import require_run
from .runner import build_runner

__all__ = [
    'CONFIGS', 'ConfigOptionAction', 'HOSTS', 'add_config_options',
    'data_root_parser', 'add_run_options', 'build_runner', 'default_scope',
    'fill_dataloader', 'find_config', 'find_tool', 'kept_checkpoint',
    'leave_process_group', 'load_config', 'merge_options', 'require_files',
    'require_run', 'user_errors'
]
