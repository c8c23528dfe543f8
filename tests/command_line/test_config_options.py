"""Options of the command line change a config, or are refused."""
from typing import List

import pytest
from mmengine.config import Config

from mmvideomamba.command_line import merge_options


@pytest.fixture
def cfg() -> Config:
    return Config(
        dict(
            default_scope='mmaction',
            model=dict(depth=18, mean=[1, 2], init=None),
            loader=dict(pipeline=[dict(type='A', x=1),
                                  dict(type='B')])))


def test_fitting_keys(cfg: Config) -> None:
    merge_options(
        cfg, {
            'model.depth': 50,
            'model.mean': [3, 4],
            'loader.pipeline.0.x': 2,
            'loader.pipeline.1.new': 'y',
            'compile.deep.key': 1,
            'model.init': None
        })
    assert cfg.model.depth == 50 and cfg.model.mean == [3, 4]
    assert cfg.loader.pipeline[0] == dict(type='A', x=2)
    assert cfg.loader.pipeline[1].new == 'y' and cfg.compile.deep.key == 1


def test_items_by_type() -> None:
    """The loader's copy of a pipeline follows the variable's name."""
    steps = [dict(type='ours.A', x=1), dict(type='B', x=1)]
    cfg = Config(
        dict(
            test_pipeline=steps,
            test_dataloader=dict(dataset=dict(pipeline=steps)),
            param_scheduler=[dict(type='LinearLR', end=1)]))
    merge_options(
        cfg, {
            'test_pipeline.ours.A.x': 2,
            '*_pipeline.B.x': 3,
            'test_dataloader.dataset.pipeline.B.y': 4,
            'param_scheduler.LinearLR.end': 5
        })
    steps = [dict(type='ours.A', x=2), dict(type='B', x=3)]
    assert cfg.test_pipeline == steps
    steps[1]['y'] = 4
    assert cfg.test_dataloader.dataset.pipeline == steps
    assert cfg.param_scheduler == [dict(type='LinearLR', end=5)]


def test_a_part_can_be_switched_off(cfg: Config) -> None:
    merge_options(cfg, {'model': None, 'loader': False})
    assert cfg.model is None and cfg.loader is False


@pytest.mark.parametrize('options, words', [
    ({
        'loader.pipeline.type': 'C'
    }, ['loader.pipeline has no item of type', "'type'", 'A, B']),
    ({
        'model.mean.first': 5
    }, ['model.mean is a list of 2', "'first'", '0 to 1']),
    ({
        'loader.pipeline.B': 5
    }, ['loader.pipeline.1 is a dict', 'type']),
    ({
        'loader.pipeline.2.x': 1
    }, ['loader.pipeline is a list of 2', "'2'"]),
    ({
        'model.depth.x': 3
    }, ['model.depth is 18', "no key 'x'"]),
    ({
        'model.init.type': 'X'
    }, ['model.init is None', "no key 'type'"]),
    ({
        'model': 3
    }, ['model is a dict', 'become 3', 'depth, mean, init']),
    ({
        'loader.pipeline': 'x'
    }, ['loader.pipeline is a list', "become 'x'", '0, 1']),
    ({
        'model.mean.1': 5
    }, ['model.mean.1 is an item of a list', 'whole list']),
    ({
        'loader.pipeline.1': 5
    }, ['loader.pipeline.1 is a dict', 'type']),
    ({
        'compile': 1,
        'compile.b': 2
    }, ['compile is 1', "no key 'b'"]),
    ({
        'train_dataloder.batch_size': 4
    }, [
        'train_dataloder is not a key of the config',
        'did you mean train_dataloader?'
    ]),
    ({
        'modle.depth': 4
    }, ['modle is not a key of the config', 'did you mean model']),
    ({
        'train_pipeline': 1
    }, ['train_dataloader.dataset.pipeline']),
    ({
        'train_pipeline.A.x': 1
    }, ["no dataloader of the config has the pipeline 'train_pipeline'"]),
])
def test_wrong_keys(cfg: Config, options: dict, words: List[str]) -> None:
    before = cfg.to_dict()
    with pytest.raises(ValueError) as error:
        merge_options(cfg, options)
    for word in ['--cfg-options', *words]:
        assert word in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert set(before) <= set(cfg.to_dict())


def test_variables_of_the_file(cfg: Config, monkeypatch) -> None:
    """A change comes too late for values computed from a variable."""
    said: List[str] = []
    monkeypatch.setattr('mmvideomamba.command_line.config_options.print_log',
                        lambda text, *_: said.append(text))
    cfg.num_classes = 3
    merge_options(cfg, {'num_classes': 4, 'resume': True, 'model.depth': 1})
    assert len(said) == 1 and 'num_classes is a variable' in said[0]
