#!/usr/bin/env bash
# Masked distillation on the quickstart's videos, on a CPU: make images and
# videos, train a small teacher, pretrain a student without labels, then train
# on 64 labelled videos from the student and from scratch, three seeds each.
# Usage: [PYTHON=python] [WORK_DIR=work_dirs/quickstart_pretraining] \
#     [SEEDS='0 1 2'] tools/quickstart_pretraining.sh
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}
WORK_DIR=${WORK_DIR:-work_dirs/quickstart_pretraining}
SEEDS=${SEEDS:-0 1 2}
CONFIGS=configs/pretraining/quickstart
TEACHER=$CONFIGS/clip-micro_1xb64-15e_quickstart-frames.py
STUDENT=$CONFIGS/umt-videomamba-micro_clip-micro_1xb16-u8-25e_quickstart-rgb.py
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}  # see quickstart.sh

step() { printf '\n=== %s (%d s) ===\n' "$1" "$SECONDS"; }

# Train on few labels: its kind, 'scratch' or 'umt-pre', a seed, options.
fine_tune() {
    local kind=$1 seed=$2 folder=$WORK_DIR/$1-$2
    shift 2
    mkdir -p "$folder"
    "$PYTHON" tools/train.py \
        "$CONFIGS/videomamba-micro-p8_${kind}_1xb8-u8-25e_quickstart-rgb-64.py" \
        --work-dir "$folder" --seed "$seed" "$@" | tee "$folder/output.txt"
    sed -n 's#.*Epoch(val).*acc/top1: \([0-9.]*\).*#\1#p' \
        "$folder/output.txt" | tail -n 1 >> "$WORK_DIR/$kind.txt"
}

# Print mean, standard deviation and values of the lines of a file.
summary() {
    awk '{ x[NR] = 100 * $1; sum += x[NR]; text = text sprintf(" %.1f", x[NR]) }
         END { mean = sum / NR
               for (i in x) square += (x[i] - mean) ^ 2
               printf "%.1f +- %.1f %% (%s )\n", mean,
                      sqrt(NR > 1 ? square / (NR - 1) : 0), text }' "$1"
}

step 'Step 1 of 5: make the videos and the images'
"$PYTHON" tools/data/quickstart/make_quickstart_videos.py --workers 2
"$PYTHON" tools/data/quickstart/make_quickstart_frames.py

step 'Step 2 of 5: train the teacher on single frames'
"$PYTHON" tools/train.py "$TEACHER" --work-dir "$WORK_DIR/teacher"

step 'Step 3 of 5: pretrain the student, without labels'
"$PYTHON" tools/train.py "$STUDENT" --work-dir "$WORK_DIR/student" \
    --cfg-options \
    "model.target_generator.init_cfg.checkpoint=$WORK_DIR/teacher/epoch_15.pth"

step 'Step 4 of 5: train on 64 labelled videos'
rm -f "$WORK_DIR"/scratch.txt "$WORK_DIR"/umt-pre.txt
for seed in $SEEDS; do
    fine_tune scratch "$seed"
    fine_tune umt-pre "$seed" --cfg-options \
        "model.backbone.init_cfg.checkpoint=$WORK_DIR/student/epoch_25.pth"
done

step 'Step 5 of 5: draw mask, attention and alignment of a held-out clip'
CLIP=data/quickstart/$(head -n 1 data/quickstart/val.txt | cut -d ' ' -f 1)
"$PYTHON" demo/demo_alignment.py "$CLIP" "$STUDENT" \
    "$WORK_DIR/student/epoch_25.pth" --out "$WORK_DIR/alignment.png"

step Done
echo "top-1 on 160 validation videos, mean +- standard deviation over seeds"
echo "from scratch:      $(summary "$WORK_DIR/scratch.txt")"
echo "from pretraining:  $(summary "$WORK_DIR/umt-pre.txt")   (chance 12.5 %)"
echo "picture:           $WORK_DIR/alignment.png"
