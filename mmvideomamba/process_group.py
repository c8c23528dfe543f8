"""End of a distributed run."""
from torch import distributed


def leave_process_group() -> None:
    """Wait for the other processes of a distributed run, then disconnect.

    A process without this step ends while threads of the group may still run,
    aborts now and then, and the launcher ends the other processes. A run of a
    single process has no group and returns at once.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()
