import json

import pytest
from script import load_script


@pytest.fixture(scope='module')
def tool():
    return load_script('tools/data/motion_noise/make_motion_noise.py')


def test_options_reach_the_set(tool, tmp_path, capsys) -> None:
    arguments = [
        'shapes', '--out-dir',
        str(tmp_path), '--train', '2', '--val', '2', '--test', '2',
        '--classes', 'L', 'T', '--frames', '2', '--size', '32', '--coherence',
        '0.5', '--ground', 'flicker', '--appearance', '0.5', '--seed', '3'
    ]
    tool.main(arguments)
    said = capsys.readouterr().out
    assert '2 train, 2 val, 2 test clips of 2 classes' in said
    assert 'Single frames of the training clips show the letter' in said
    kept = json.loads((tmp_path / 'settings.json').read_text())
    assert kept['classes'] == ['L', 'T'] and kept['ground'] == 'flicker'
    assert (kept['coherence'], kept['seed'], kept['size']) == (.5, 3, 32)
    tool.main(arguments)
    assert 'nothing to do' in capsys.readouterr().out


@pytest.mark.parametrize('arguments, words', [
    (['kinds', '--codec', 'libx264'], 'lossy'),
    (['shapes', '--cell', '4'], 'too few noise cells'),
    (['kinds', '--train', '5'], '--train must be'),
])
def test_a_bad_option_is_one_line(tool, tmp_path, arguments, words) -> None:
    with pytest.raises(SystemExit) as error:
        tool.main([*arguments, '--out-dir', str(tmp_path / 'set')])
    assert str(error.value).startswith('error: ') and words in str(error.value)
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'set').exists()


@pytest.mark.parametrize('task', ['kinds', 'shapes'])
def test_default_counts_fit_the_classes(tool, task, monkeypatch) -> None:
    from mmvideomamba.datasets import preparation
    found = []
    monkeypatch.setattr(preparation, 'make_noise_set',
                        lambda folder, settings, *_: found.append(settings))
    tool.main([task])
    preparation.noise_set.check_settings(found[0])
