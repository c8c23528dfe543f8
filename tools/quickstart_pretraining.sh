#!/usr/bin/env bash
# Masked distillation on the quickstart's videos, on a CPU: make images and
# videos, train a small teacher, pretrain a student without labels, then train
# on 64 labelled videos from the student and from scratch, three seeds each.
# Usage: [PYTHON=python] [WORK_DIR=work_dirs/quickstart_pretraining] \
#     [SEEDS='0 1 2'] tools/quickstart_pretraining.sh
# What is done in WORK_DIR already is kept; remove it to begin anew.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}
WORK_DIR=${WORK_DIR:-work_dirs/quickstart_pretraining}
SEEDS=${SEEDS:-0 1 2}
CONFIGS=configs/pretraining/quickstart
STUDENT=umt-videomamba-micro_clip-micro_1xb16-u8-25e_quickstart-rgb
FINE_TUNE=videomamba-micro-p8_%s_1xb8-u8-25e_quickstart-rgb-64
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}  # see quickstart.sh

step() { printf '\n=== %s (%d s) ===\n' "$1" "$SECONDS"; }

# Train a config into a folder, unless it is done there: its name, the folder,
# the last epoch, options.
train() {
    local config=$CONFIGS/$1.py folder=$WORK_DIR/$2 last=$3
    shift 3
    if [ -f "$folder/epoch_$last.pth" ]; then
        echo "$folder is there already"
        return
    fi
    mkdir -p "$folder"
    "$PYTHON" tools/train.py "$config" --work-dir "$folder" "$@" \
        | tee "$folder/output.txt"
}

# List the last accuracies of the folders of a kind.
accuracies() {
    for folder in $(printf "$WORK_DIR/$1-%s " $SEEDS); do
        sed -n 's#.*Epoch(val).*acc/top1: \([0-9.]*\).*#\1#p' \
            "$folder/output.txt" | tail -n 1
    done
}

# Print mean, standard deviation and values of the accuracies of a kind.
summary() {
    accuracies "$1" | awk '{ x[NR] = 100 * $1; sum += x[NR]; text = text sprintf(" %.1f", x[NR]) }
         END { mean = sum / NR
               for (i in x) square += (x[i] - mean) ^ 2
               printf "%.1f +- %.1f %% (%s )\n", mean,
                      sqrt(NR > 1 ? square / (NR - 1) : 0), text }'
}

step 'Step 1 of 5: make the videos and the images'
"$PYTHON" tools/data/quickstart/make_quickstart_videos.py --workers 2
"$PYTHON" tools/data/quickstart/make_quickstart_frames.py

step 'Step 2 of 5: train the teacher on single frames'
train clip-micro_1xb64-15e_quickstart-frames teacher 15

step 'Step 3 of 5: pretrain the student, without labels'
train $STUDENT student 25 --cfg-options \
    "model.target_generator.init_cfg.checkpoint=$WORK_DIR/teacher/epoch_15.pth"

step 'Step 4 of 5: train on 64 labelled videos'
for seed in $SEEDS; do
    train "$(printf $FINE_TUNE umt-pre)" "umt-pre-$seed" 25 --seed "$seed" \
        --cfg-options \
        "model.backbone.init_cfg.checkpoint=$WORK_DIR/student/epoch_25.pth"
    train "$(printf $FINE_TUNE scratch)" "scratch-$seed" 25 --seed "$seed"
done

step 'Step 5 of 5: draw mask, attention and alignment of a held-out clip'
CLIP=data/quickstart/$(head -n 1 data/quickstart/val.txt | cut -d ' ' -f 1)
"$PYTHON" demo/demo_alignment.py "$CLIP" "$CONFIGS/$STUDENT.py" \
    "$WORK_DIR/student/epoch_25.pth" --out "$WORK_DIR/alignment.png"

step Done
echo "top-1 on 160 validation videos, mean +- standard deviation over seeds"
echo "from scratch:      $(summary scratch)"
echo "from pretraining:  $(summary umt-pre)   (chance 12.5 %)"
echo "picture:           $WORK_DIR/alignment.png"
