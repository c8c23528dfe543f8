"""The notebook runs in a kernel, and its kept outputs are fit to read."""
import json
import re
from pathlib import Path
from typing import Any, Iterator, List

import nbformat
import pytest
from host_tools import ROOT
from nbclient import NotebookClient

NOTEBOOK = ROOT / 'demo/quickstart.ipynb'
MOST_BYTES = 300_000
# Folders of a machine, and colours for terminals.
UNFIT = re.compile(
    r'/(home|root|Users|tmp|work|opt|usr)/|site-packages|[A-Z]:\\|\x1b\[')
VALUES = ('accuracy', 'shuffled', 'curve', 'losses', 'classes')
SMALL = dict(TRAIN=16, VAL=16, EPOCHS=2)


@pytest.fixture(scope='module')
def committed() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs_of(notebook: Any) -> Iterator[Any]:
    for cell in notebook.cells:
        yield from cell.get('outputs', ())


def texts_of(notebook: Any) -> List[str]:
    """Return the printed text of all cells, errors included."""
    found = []
    for output in outputs_of(notebook):
        found.append(output.get('text', ''))
        found.append(output.get('data', {}).get('text/plain', ''))
        found += output.get('traceback', ())
    return found


def small_copy(committed: Any, folder: Path) -> Any:
    """Return the notebook for few videos, with a last cell for checks."""
    notebook = nbformat.reads(nbformat.writes(committed), as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == 'code':
            cell.update(outputs=[], execution_count=None)
    places = [
        i for i, cell in enumerate(notebook.cells)
        if 'parameters' in cell.metadata.get('tags', ())
    ]
    assert len(places) == 1
    values = dict(
        SMALL, DATA=str(folder / 'data'), WORK_DIR=str(folder / 'run'))
    given = notebook.cells[places[0]].source
    for name in values:
        assert name in given, f'the notebook has no parameter {name}'
    lines = [f'{name} = {value!r}' for name, value in values.items()]
    lines.append('import os; os.environ["CUDA_VISIBLE_DEVICES"] = ""')
    notebook.cells.insert(places[0] + 1,
                          nbformat.v4.new_code_cell('\n'.join(lines)))
    told = ', '.join(f'{name}={name}' for name in VALUES)
    notebook.cells.append(
        nbformat.v4.new_code_cell(f'print(json.dumps(dict({told})))'))
    return notebook


@pytest.mark.slow(minutes=1)
def test_all_cells_run(committed: Any, tmp_path: Path) -> None:
    notebook = small_copy(committed, tmp_path)
    # An error of a cell, or of a picture, ends the test with its message.
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name='python3',
        resources=dict(metadata=dict(path=str(NOTEBOOK.parent)))).execute()
    kinds = [output.output_type for output in outputs_of(notebook)]
    errors = [x for x in outputs_of(notebook) if x.output_type == 'error']
    assert not errors, errors[0].traceback
    assert kinds.count('display_data') == 7  # 5 strips and 2 figures

    found = json.loads(notebook.cells[-1].outputs[0].text)
    assert len(found['classes']) == 8
    assert 0 <= found['accuracy'] <= 1 and 0 <= found['shuffled'] <= 1
    assert [epoch for epoch, _ in found['curve']] == [1, 2]
    assert all(0 < loss < 10 for _, loss in found['losses'])
    printed = ''.join(texts_of(notebook))
    assert 'same scores: True' in printed
    assert f'top-1 {found["accuracy"]:.1%}' in printed

    run = tmp_path / 'run'
    assert len(list(run.glob('best_*.pth'))) == 1
    assert (run / 'saved/model.safetensors').is_file()
    # Two of the sixteen videos: after each of two epochs, and of the test.
    drawn = {path.stem for path in (run / 'strips').glob('*.png')}
    assert drawn == {f'sample_{i}_{k}' for i in (0, 8) for k in (0, 1, 2)}


def test_committed_outputs(committed: Any) -> None:
    """Readers see results of a whole run, in a small file."""
    nbformat.validate(committed)
    assert NOTEBOOK.stat().st_size < MOST_BYTES
    code = [cell for cell in committed.cells if cell.cell_type == 'code']
    assert [cell.execution_count
            for cell in code] == list(range(1,
                                            len(code) + 1))
    assert all(x.output_type != 'error' for x in outputs_of(committed))
    texts = texts_of(committed)
    unfit = [text for text in texts if UNFIT.search(text)]
    assert not unfit, f'clear the outputs of {unfit}, and run again'
    assert not UNFIT.search(json.dumps(committed.metadata))
    accuracy = re.search(r'top-1 (\d+\.\d)%, frames shuffled (\d+\.\d)%',
                         ''.join(texts))
    assert accuracy, 'the test of the notebook printed no accuracy'
    # Well above chance (12.5 %), and the control near chance.
    assert float(accuracy[1]) > 50 and float(accuracy[2]) < 30


def test_paths_in_the_text(committed: Any) -> None:
    """Links of the text lead to files of the repository."""
    links = re.findall(
        r'\]\((\.\./[^)#]+)', '\n'.join(cell.source for cell in committed.cells
                                        if cell.cell_type == 'markdown'))
    assert len(links) > 5
    for link in links:
        assert (NOTEBOOK.parent / link).resolve().is_file(), link
