"""Tasks of SLURM as ranks of torchrun."""
import os
import subprocess
from typing import Dict


def slurm_ranks() -> Dict[str, str]:
    """Translate the environment of a SLURM task into torchrun's variables.

    mmengine's own way needs CUDA.

    Returns:
        dict[str, str]: RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and
        MASTER_PORT; the last two of the environment win, and else are the
        first node of the job and 29500.

    Raises:
        ValueError: If this process is not a task of SLURM.
    """
    names = ('SLURM_PROCID', 'SLURM_LOCALID', 'SLURM_NTASKS')
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise ValueError(f'--launcher slurm: {missing[0]} is not set, so this '
                         'process was not started by srun; start the training '
                         'by tools/slurm_train.sh')
    rank, local_rank, processes = (os.environ[name] for name in names)
    return dict(
        RANK=rank,
        LOCAL_RANK=local_rank,
        WORLD_SIZE=processes,
        MASTER_ADDR=os.environ.get('MASTER_ADDR') or _first_node(),
        # The default port of torch.distributed.
        MASTER_PORT=os.environ.get('MASTER_PORT') or '29500')


def _first_node() -> str:
    """Return the name of the node of rank 0."""
    nodes = os.environ.get('SLURM_STEP_NODELIST') or os.environ.get(
        'SLURM_NODELIST', '')
    # A list such as node[1-4] needs scontrol; the name of a node does not.
    if nodes and not set(nodes) & set(',['):
        return nodes
    done = subprocess.run(['scontrol', 'show', 'hostnames', nodes],
                          capture_output=True,
                          text=True)
    if done.returncode or not done.stdout.strip():
        raise ValueError(
            f'--launcher slurm: scontrol names no node of {nodes!r} '
            f'({done.stderr.strip()}); set MASTER_ADDR to the first node')
    return done.stdout.split()[0]
