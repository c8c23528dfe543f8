"""Parts of the commands in ``tools`` and ``demo``.

Each part is imported at first use, so that ``--help`` need not wait for torch.
"""
from mmvideomamba.late_names import late_names

_PLACES = dict(
    CONFIGS='config',
    ConfigOptionAction='options',
    HOSTS='host_tools',
    add_config_options='options',
    add_run_options='options',
    build_runner='runner',
    data_root_parser='options',
    default_scope='config',
    fill_dataloader='config',
    find_config='config',
    find_tool='host_tools',
    kept_checkpoint='checkpoint_words',
    leave_kept_config='kept_config',
    limit_topk='topk',
    load_config='config',
    merge_options='config_options',
    require_files='errors',
    require_run='run_parts',
    set_data_root='data_root',
    user_errors='errors',
)

__all__ = [*_PLACES]

__getattr__, __dir__ = late_names(__name__, _PLACES)
