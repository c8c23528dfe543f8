from pathlib import Path

import pytest
from caption_files import build


@pytest.mark.parametrize('line, match', [
    ('{"image": ', 'entry 0 is no JSON'),
    ('{"image": "a"}', "entry 0 has no 'caption'"),
    ('{"image": "a", "caption": "?"}', 'entry 0 has an empty caption'),
])
def test_bad_lines(folder: Path, line: str, match: str) -> None:
    (folder / 'x.jsonl').write_text(line)
    with pytest.raises(ValueError, match=match):
        build(folder, 'x.jsonl')[0]
