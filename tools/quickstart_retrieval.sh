#!/usr/bin/env bash
# Retrieval, recognition by prompts, multiple choice and questions on a small
# set of videos with captions, in minutes on two CPU cores: make the clips,
# train, choose the checkpoint on val.json, report on test.json.
# Usage: [PYTHON=python] [WORK_DIR=work_dirs/quickstart_retrieval] \
#     tools/quickstart_retrieval.sh [options of train.py for retrieval]
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}
WORK_DIR=${WORK_DIR:-work_dirs/quickstart_retrieval}
RETRIEVAL=configs/retrieval/quickstart
QUESTIONS=configs/question_answering/quickstart
NAME=videomamba-micro_scratch_1xb32-u4-8e_quickstart
QA=$QUESTIONS/videomamba-micro_quickstart-pre_1xb32-u4-5e_quickstart-qa.py
# Threads that wait for work sleep, see quickstart.sh.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}

"$PYTHON" tools/data/quickstart/make_quickstart_captions.py --workers 2
"$PYTHON" tools/train.py "$RETRIEVAL/retrieval-$NAME-captions.py" \
    --work-dir "$WORK_DIR" "$@"
"$PYTHON" tools/test.py "$RETRIEVAL/retrieval-$NAME-captions.py" "$WORK_DIR" \
    --work-dir "$WORK_DIR/test"
"$PYTHON" tools/test.py "$RETRIEVAL/retrieval-$NAME-prompts.py" "$WORK_DIR" \
    --work-dir "$WORK_DIR/prompts"
"$PYTHON" tools/test.py "$QUESTIONS/$NAME-mc.py" "$WORK_DIR" \
    --work-dir "$WORK_DIR/mc"
# The newest: an earlier run in the folder leaves a file of another epoch.
BEST=$(ls -t "$WORK_DIR"/best_*.pth | sed -n 1p)
"$PYTHON" tools/train.py "$QA" --work-dir "$WORK_DIR/qa" \
    --cfg-options load_from="$BEST"
"$PYTHON" tools/test.py "$QA" "$WORK_DIR/qa" --work-dir "$WORK_DIR/qa/test"
