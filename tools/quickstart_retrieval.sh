#!/usr/bin/env bash
# Retrieval on a small set of videos with captions, in minutes on two CPU
# cores: make the clips, train, test on combinations that training has not
# seen.
# Usage: [PYTHON=python] [WORK_DIR=work_dirs/quickstart_retrieval] \
#     tools/quickstart_retrieval.sh [options of train.py]
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}
WORK_DIR=${WORK_DIR:-work_dirs/quickstart_retrieval}
NAME=retrieval-videomamba-micro_scratch_1xb30-u8-25e_quickstart-captions
CONFIG=configs/retrieval/quickstart/$NAME.py
# Threads that wait for work sleep, see quickstart.sh.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}

"$PYTHON" tools/data/quickstart/make_quickstart_captions.py --workers 2
"$PYTHON" tools/train.py "$CONFIG" --work-dir "$WORK_DIR" "$@"
"$PYTHON" tools/test.py "$CONFIG" "$WORK_DIR" \
    --work-dir "$WORK_DIR/test"
