#!/usr/bin/env bash
# Run the tests of texts beside the transformers of this environment; keep the
# output.
#   bash tests/other_transformers.sh [FILE]
# `make test` installs the newest release of transformers. An environment with
# another one, and with the text models of mmaction2 for comparison:
#   pip install -e '.[dev,quickstart,multimodal]' 'transformers==4.55.4' timm
# FILE, tests/other_transformers.txt unless given, gets date, versions, what
# failed and how many passed.
set -uo pipefail
cd "$(dirname "$0")/.."
log=${1:-tests/other_transformers.txt}
whole=$(mktemp)
{
  date -u '+%Y-%m-%d %H:%M UTC'
  python3 -c '
from importlib.metadata import version
names = "transformers", "timm", "tokenizers", "torch", "mmaction2"
print(", ".join(f"{name} {version(name)}" for name in names))'
} | tee "$log"
python3 -m pytest -q -p no:cacheprovider tests/models/multimodal \
  tests/checkpoints tests/compat/test_multimodal.py \
  tests/integration/test_multimodal.py \
  tests/integration/test_question_answering.py 2>&1 | tee "$whole"
status=${PIPESTATUS[0]}
grep -E '^(FAILED|ERROR) |^[0-9]+ (failed|passed)' "$whole" |
  sed 's/ - .*//; s/ in [0-9.]*s.*//; s/, [0-9]* warnings*//' >> "$log"
rm "$whole"
exit "$status"
