#!/usr/bin/env bash
# Usage: [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS= MASTER_PORT=] \
#     slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]
set -e
PARTITION=${1:?slurm partition}
JOB_NAME=${2:?name of the job}
CONFIG=${3:?path or name of a config}
CHECKPOINT=${4:?path of a checkpoint}
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
TOOLS=$(dirname "$0")

# Two jobs on one node must not share a port. SRUN_ARGS is split on purpose.
MASTER_PORT=${MASTER_PORT:-$((12000 + RANDOM % 20000))} \
PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}" \
srun -p "$PARTITION" \
    --job-name="$JOB_NAME" \
    --gres=gpu:"$GPUS_PER_NODE" \
    --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher slurm "${@:5}"
