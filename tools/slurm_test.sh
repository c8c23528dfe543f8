#!/usr/bin/env bash
set -e
if [ $# -lt 4 ]; then
    cat >&2 <<'END'
Test with several processes on a SLURM cluster.
Usage: [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 GRES=gpu:8 SRUN_ARGS= \
    MASTER_PORT=] slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT \
    [options of test.py]
GPUS is the number of processes; with an empty GRES they run on the CPU.
END
    exit 2
fi
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
GRES=${GRES-gpu:$GPUS_PER_NODE}
TOOLS=$(dirname "$0")

# Two jobs on one node must not share a port. SRUN_ARGS is split on purpose.
export MASTER_PORT=${MASTER_PORT:-$((12000 + RANDOM % 20000))}
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
exec srun -p "$1" \
    --job-name="$2" \
    ${GRES:+--gres="$GRES"} \
    --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u "$TOOLS/test.py" "$3" "$4" --launcher slurm "${@:5}"
