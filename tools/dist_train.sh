#!/usr/bin/env bash
set -e
if [ $# -lt 2 ]; then
    cat >&2 <<'END'
Train with several processes on each node.
Usage: [NNODES=1 NODE_RANK=0 MASTER_ADDR=127.0.0.1 PORT=29500] \
    dist_train.sh CONFIG GPUS [options of train.py]
CONFIG is the path or name of a config. GPUS is the number of processes per
node; without a GPU they run on the CPU. Exit codes: 75 after SIGTERM, SIGUSR1
or SIGHUP, with the training saved for --resume; 70 for a training that
diverged; 130 after Ctrl-C; 1 for other failures.
END
    exit 2
fi
TOOLS=$(dirname "$0")

# exec: signals to this script reach start_ranks.py.
export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
exec python "$TOOLS/start_ranks.py" \
    --nnodes "${NNODES:-1}" \
    --node-rank "${NODE_RANK:-0}" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" \
    --master-port "${PORT:-29500}" \
    "$2" "$TOOLS/train.py" "$1" --launcher pytorch "${@:3}"
