#!/usr/bin/env bash
# Run all tests of kernels, models and trainings on GPUs; keep the output.
#   bash tests/gpu/run_all.sh [FILE]
# FILE, tests/gpu/last_run.txt unless given, gets date, device, versions, what
# failed and how many passed. With pytest-xdist, WORKERS processes (8) share
# the GPU: most of the time goes into compiling kernels.
set -uo pipefail
cd "$(dirname "$0")/../.."
log=${1:-tests/gpu/last_run.txt}
workers=()
if python3 -c 'import xdist' 2>/dev/null; then
  workers=(-n "${WORKERS:-8}")
fi
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} OMP_NUM_THREADS=2
# TF32 keeps 10 bits of a float32 product; the golden files need 23.
export NVIDIA_TF32_OVERRIDE=0
# The tests of all backends, for those of the GPU. Left out for mamba_ssm: its
# kernels add with atomics, so runs differ in the last bits, its convolution
# knows no single tap, and its gradient of the rates has few digits left after
# very large steps (steps6).
chosen='(triton or mamba_ssm or gpu) and not (mamba_ssm and (repeat or strides
  or odd_offsets or some_inputs or large_values or steps6) and not gpu)'
whole=$(mktemp)
{
  date -u '+%Y-%m-%d %H:%M UTC'
  python3 tests/gpu/versions.py
} | tee "$log"
python3 -m pytest -q -p no:cacheprovider "${workers[@]}" \
  -k "${chosen//$'\n'/ } and not very_long" tests/gpu tests/ops tests/models \
  2>&1 | tee "$whole"
status=${PIPESTATUS[0]}
# One at a time: up to 40 GiB of memory each.
python3 -m pytest -q -p no:cacheprovider -k very_long tests/gpu 2>&1 |
  tee -a "$whole"
status=$((status | PIPESTATUS[0]))
# Failures by name, and the numbers; what failed how is on the screen.
grep -E '^(FAILED|ERROR) |^[0-9]+ (failed|passed)' "$whole" |
  sed 's/ - .*//' >> "$log"
rm "$whole"
exit "$status"
