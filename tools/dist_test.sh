#!/usr/bin/env bash
set -e
if [ $# -lt 3 ]; then
    cat >&2 <<'END'
Test with several processes on each node.
Usage: [NNODES=1 NODE_RANK=0 MASTER_ADDR=127.0.0.1 PORT=29500] \
    dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]
CONFIG is the path or name of a config, CHECKPOINT the path of a file. GPUS is
the number of processes per node; without a GPU they run on the CPU.
END
    exit 2
fi
TOOLS=$(dirname "$0")

export PYTHONPATH="$TOOLS/..${PYTHONPATH:+:$PYTHONPATH}"
exec python "$TOOLS/start_ranks.py" \
    --nnodes "${NNODES:-1}" \
    --node-rank "${NODE_RANK:-0}" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" \
    --master-port "${PORT:-29500}" \
    "$3" "$TOOLS/test.py" "$1" "$2" --launcher pytorch "${@:4}"
