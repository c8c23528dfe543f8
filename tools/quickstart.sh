#!/usr/bin/env bash
# The whole job on a small set of real videos, in minutes on two CPU cores:
# make the videos, train, test with several views, run the control, classify
# one held-out clip.
# Usage: [PYTHON=python] [WORK_DIR=work_dirs/quickstart] \
#     tools/quickstart.sh [options of train.py]
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}
DATA_DIR=data/quickstart  # as in the config
WORK_DIR=${WORK_DIR:-work_dirs/quickstart}
NAME=videomamba-micro_1xb8-u8-25e_quickstart-rgb
CONFIG=configs/quickstart/$NAME.py
CONTROL=configs/quickstart/$NAME-shuffled.py
# Threads that wait for work sleep. By default they spin, and then take the
# cores from each other and from whatever decodes the videos: up to ten times
# slower on a machine with two cores.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}

step() { printf '\n=== %s (%d s) ===\n' "$1" "$SECONDS"; }

# Test a config with the best checkpoint of the training; leaves the top-1 accuracy in ACCURACY.
run_test() {
    mkdir -p "$WORK_DIR/$2"
    "$PYTHON" tools/test.py "$1" "$WORK_DIR" --work-dir "$WORK_DIR/$2" \
        | tee "$WORK_DIR/$2/output.txt"
    ACCURACY=$(sed -n 's#.*acc/top1: \([0-9.]*\).*#\1#p' \
        "$WORK_DIR/$2/output.txt" | tail -n 1)
}

step 'Step 1 of 5: make the videos'
"$PYTHON" tools/data/quickstart/make_quickstart_videos.py \
    --out-dir "$DATA_DIR" --workers 2

step 'Step 2 of 5: train, with validation'
"$PYTHON" tools/train.py "$CONFIG" --work-dir "$WORK_DIR" "$@"

step 'Step 3 of 5: test, 2 clips x 3 crops of each video'
run_test "$CONFIG" test
ORDERED=$ACCURACY

step 'Step 4 of 5: control, the same with shuffled frames'
run_test "$CONTROL" test-shuffled
SHUFFLED=$ACCURACY

step 'Step 5 of 5: classify one held-out clip'
CLIP=$DATA_DIR/$(head -n 1 "$DATA_DIR/val.txt" | cut -d ' ' -f 1)
"$PYTHON" demo/demo_recognizer.py "$CLIP" "$WORK_DIR" \
    --out-dir "$WORK_DIR/demo"

step Done
cat <<END
top-1 accuracy, frames in order:  $ORDERED
top-1 accuracy, frames shuffled:  $SHUFFLED   (chance 0.125)
videos and annotation files:      $DATA_DIR
logs, checkpoint, TensorBoard:    $WORK_DIR   (tensorboard --logdir $WORK_DIR)
picture and annotated video:      $WORK_DIR/demo
END
