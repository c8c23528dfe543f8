"""Lists of a config are edited by type, and the loaders follow."""
import pickle
from pathlib import Path
from typing import Callable, List, Union

import pytest
from mmengine.config import Config, ConfigDict

from mmvideomamba.config_edit import edit, insert, option_keys, remove

PARTS = ('train', 'val', 'test')
STEPS: List[dict] = [
    dict(type='Open'),
    dict(type='Sample', clip_len=8),
    dict(type='ours.Crop', scale=224),
    dict(type='Pack', meta=dict(keys=1, more=2))
]

# Tests with a pipeline twice, wrapped data, mmpretrain's missing variable.
BASE = f"""
train_pipeline = {STEPS}
test_pipeline = {STEPS}
train_dataloader = dict(
    batch_size=8,
    dataset=dict(type='Repeat', dataset=dict(pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(type='Concat', datasets=[
    dict(name='a', pipeline=test_pipeline),
    dict(name='b', pipeline=test_pipeline)]))
other_dataloader = None
param_scheduler = [
    dict(type='LinearLR', end=5),
    dict(type='CosineLR', begin=5, end=50)]
custom_hooks = [dict(type='A'), dict(type='B', x=1), dict(type='A')]
model = dict(train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8)]))
max_epochs = 50
"""
HEAD = """
_base_ = './base.py'
from mmvideomamba.config_edit import edit, insert, items_after, remove
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Config]:
    """Return a reader of a child of BASE with given lines."""
    (tmp_path / 'base.py').write_text(BASE)

    def read(lines: str) -> Config:
        path = tmp_path / 'child.py'
        path.write_text(HEAD + lines)
        return Config.fromfile(path)

    return read


def pipelines(cfg: Config, part: str) -> List[list]:
    """Return the pipelines of a loader in BASE."""
    dataset = cfg[f'{part}_dataloader'].dataset
    if part == 'train':
        return [dataset.dataset.pipeline]
    return [x.pipeline for x in dataset.get('datasets', [dataset])]


def test_loader_and_variable_change_together(load: Callable) -> None:
    cfg = load("edit(_base_, 'train_pipeline', 'Sample', clip_len=16)\n"
               'train_dataloader = dict(batch_size=4)')
    want = [dict(x, clip_len=16) if 'clip_len' in x else x for x in STEPS]
    assert pipelines(cfg, 'train') == [want] == [cfg.train_pipeline]
    assert cfg.train_dataloader.batch_size == 4
    for part in ('val', 'test'):
        assert all(steps == STEPS for steps in pipelines(cfg, part))


def test_all_loaders(load: Callable) -> None:
    """The test has two data sets, the validation no variable."""
    cfg = load("edit(_base_, '*_pipeline', 'ours.Crop', scale=(96, 96))")
    found = [steps for part in PARTS for steps in pipelines(cfg, part)]
    found += [cfg.train_pipeline, cfg.test_pipeline]
    assert len(found) == 6
    for steps in found:
        assert steps == STEPS[:2] + [dict(type='ours.Crop', scale=(96, 96))
                                     ] + STEPS[3:]


def test_several_names(load: Callable) -> None:
    cfg = load("remove(_base_, ['val_pipeline', 'test_pipeline'], 'Sample')")
    for part, count in zip(PARTS, (4, 3, 3)):
        assert {len(steps) for steps in pipelines(cfg, part)} == {count}


def test_values_merge_as_in_a_child(load: Callable) -> None:
    cfg = load("""
edit(_base_, 'train_pipeline', 'Pack', meta=dict(keys=3), new=[1])
edit(_base_, 'train_pipeline', 'Sample', type='ours.Sample')
edit(_base_, 'train_pipeline', 'ours.Crop', _delete_=True, type='Erase', p=1)
edit(_base_, 'train_pipeline', 'Open', _delete_=True, lazy=True)
""")
    assert pipelines(cfg, 'train') == [[
        dict(type='Open', lazy=True),
        dict(type='ours.Sample', clip_len=8),
        dict(type='Erase', p=1),
        dict(type='Pack', meta=dict(keys=3, more=2), new=[1])
    ]]


def test_insert(load: Callable) -> None:
    cfg = load("""
flip = dict(type='Flip', prob=0.5)
insert(_base_, '*_pipeline', flip, before='Pack')
insert(_base_, 'train_pipeline', dict(type='Erase'), after='Pack')
edit(_base_, 'val_pipeline', 'Flip', prob=0.1)
""")
    types = ['Open', 'Sample', 'ours.Crop', 'Flip', 'Pack']
    for part in PARTS:
        for steps in pipelines(cfg, part):
            extra = ['Erase'] if part == 'train' else []
            assert [x.type for x in steps] == types + extra
    # Each list has its own copy of the step.
    assert pipelines(cfg, 'val')[0][3].prob == 0.1
    assert pipelines(cfg, 'train')[0][3].prob == cfg.flip.prob == 0.5


def test_remove_several(load: Callable) -> None:
    cfg = load("remove(_base_, 'train_pipeline', 'Pack', 'Open')")
    assert pipelines(cfg, 'train') == [STEPS[1:3]] == [cfg.train_pipeline]


def test_schedulers_and_nested_lists(load: Callable) -> None:
    cfg = load("""
edit(_base_, 'param_scheduler', 'CosineLR', end=70)
edit(_base_, 'model.train_cfg.augments', 'Mixup', alpha=0.4)
insert(_base_, 'custom_hooks', dict(type='C'), after='B')
max_epochs = 70
""")
    assert cfg.param_scheduler == [
        dict(type='LinearLR', end=5),
        dict(type='CosineLR', begin=5, end=70)
    ]
    assert cfg.model.train_cfg.augments == [dict(type='Mixup', alpha=0.4)]
    assert [hook.type for hook in cfg.custom_hooks] == ['A', 'B', 'C', 'A']


def test_items_after(load: Callable) -> None:
    cfg = load("""
image_pipeline = [
    dict(type='Read'), *items_after(_base_.train_pipeline, 'Sample')]
edit(_base_, 'train_pipeline', 'ours.Crop', scale=1)
""")
    assert cfg.image_pipeline == [dict(type='Read')] + STEPS[2:]


def test_only_values_are_left(load: Callable, tmp_path: Path) -> None:
    """No function is in the text, the dump or the pickle of the config."""
    cfg = load("edit(_base_, '*_pipeline', 'Sample', clip_len=16)")
    assert 'edit' not in cfg and 'edit' not in cfg.pretty_text
    again = pickle.loads(pickle.dumps(cfg))
    assert again.to_dict() == cfg.to_dict()
    cfg.dump(tmp_path / 'dumped.py')
    dumped = Config.fromfile(tmp_path / 'dumped.py')
    assert dumped.to_dict() == cfg.to_dict()


def test_grandchild(load: Callable, tmp_path: Path) -> None:
    load("edit(_base_, '*_pipeline', 'Sample', clip_len=16)")
    path = tmp_path / 'grandchild.py'
    path.write_text(
        HEAD.replace('base.py', 'child.py') +
        "edit(_base_, 'val_pipeline', 'Sample', num_clips=2)")
    cfg = Config.fromfile(path)
    assert pipelines(cfg, 'train')[0][1] == dict(type='Sample', clip_len=16)
    assert pipelines(cfg, 'val')[0][1] == dict(
        type='Sample', clip_len=16, num_clips=2)


def test_a_loaded_config(load: Callable) -> None:
    cfg = load('')
    edit(cfg, '*_pipeline', 'Sample', clip_len=4)
    for part in PARTS:
        assert all(x[1].clip_len == 4 for x in pipelines(cfg, part))


def test_a_shared_list_changes_once() -> None:
    """As in a dict made by hand."""
    steps = [dict(type='Open')]
    cfg = ConfigDict(train_dataloader=dict(dataset=dict()))
    dict.__setitem__(cfg, 'train_pipeline', steps)
    dict.__setitem__(cfg.train_dataloader.dataset, 'pipeline', steps)
    insert(cfg, 'train_pipeline', dict(type='Pack'), after='Open')
    assert [x['type'] for x in steps] == ['Open', 'Pack']


@pytest.mark.parametrize('lines, words', [
    ("edit(_base_, 'train_pipeline', 'Samples', clip_len=16)", [
        'train_dataloader.dataset.dataset.pipeline', "'Samples'",
        "did you mean 'Sample'?", 'Open, Sample, ours.Crop, Pack'
    ]),
    ("edit(_base_, 'train_pipeline', 'Crop', scale=1)", ['ours.Crop']),
    ("remove(_base_, 'train_pipeline', 'Sample', 'Flip')", ["'Flip'"]),
    ("insert(_base_, '*_pipeline', dict(type='X'), after='Flip')", ["'Flip'"]),
    ("edit(_base_, 'custom_hooks', 'A', x=1)",
     ['custom_hooks', '2 items', "'A'", 'whole list']),
    ("edit(_base_, 'image_pipeline', 'Open', x=1)", [
        "'image_pipeline'", 'train_pipeline, val_pipeline, test_pipeline',
        'in full'
    ]),
    ("edit(_base_, 'other_pipeline', 'Open', x=1)", ["'other_pipeline'"]),
    ("edit(_base_, 'param_schedulers', 'LinearLR', end=1)",
     ["no 'param_schedulers'"]),
    ("edit(_base_, 'model.train_cfg.mix', 'A', end=1)", ["no key 'mix'"]),
    ("edit(_base_, 'max_epochs.x', 'A', end=1)", ["no key 'x'"]),
    ("edit(_base_, 'model', 'A', end=1)", ["'model' is not a list"]),
    ("edit(_base_.train_pipeline, 'Open', 'Open', x=1)", ['expected _base_']),
    ("insert(_base_, 'train_pipeline', dict(type='X'))", ['before or after']),
    ("insert(_base_, 'train_pipeline', {}, before='Open', after='Open')",
     ['before or after']),
    ("items_after(_base_.train_pipeline, 'Flip')", ["'Flip'"]),
])
def test_what_is_refused(load: Callable, lines: str, words: List[str]) -> None:
    with pytest.raises(ValueError) as error:
        load(lines)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize('change', [
    lambda cfg: edit(cfg, '*_pipeline', 'Sample', clip_len=1),
    lambda cfg: remove(cfg, '*_pipeline', 'Sample'),
])
def test_nothing_changes_where_a_list_lacks_the_type(
        load: Callable, change: Callable[[Union[Config, ConfigDict]],
                                         None]) -> None:
    cfg = load("edit(_base_, 'test_pipeline', 'Sample', type='Window')")
    before = cfg.to_dict()
    with pytest.raises(ValueError, match='test_dataloader'):
        change(cfg)
    assert cfg.to_dict() == before


@pytest.mark.parametrize('key, want', [
    ('model.train_cfg.x', ['model.train_cfg.x']),
    ('fresh.deep.key', ['fresh.deep.key']),
    ('max_epochs.Sample', ['max_epochs.Sample']),
    ('train_pipeline', ['train_pipeline']),
    ('param_scheduler.CosineLR.end', ['param_scheduler.1.end']),
    ('param_scheduler.1.end', ['param_scheduler.1.end']),
    ('param_scheduler.7.end', ['param_scheduler.7.end']),
    ('model.train_cfg.augments.Mixup', ['model.train_cfg.augments.0']),
    ('val_pipeline.ours.Crop.scale',
     ['val_dataloader.dataset.pipeline.2.scale']),
    ('train_pipeline.Pack.meta.keys', [
        'train_dataloader.dataset.dataset.pipeline.3.meta.keys',
        'train_pipeline.3.meta.keys'
    ]),
    ('test_dataloader.dataset.datasets.1.pipeline.Sample.clip_len',
     ['test_dataloader.dataset.datasets.1.pipeline.1.clip_len']),
])
def test_option_keys(load: Callable, key: str, want: List[str]) -> None:
    assert option_keys(load(''), key) == want


def test_option_keys_of_all_pipelines(load: Callable) -> None:
    """The keys of option_keys are keys for mmengine's merge."""
    cfg = load('')
    keys = option_keys(cfg, '*_pipeline.Sample.clip_len')
    assert len(keys) == 6
    cfg.merge_from_dict({key: 16 for key in keys})
    want = load("edit(_base_, '*_pipeline', 'Sample', clip_len=16)")
    assert cfg.to_dict() == want.to_dict()


@pytest.mark.parametrize('key, words', [
    ('train_pipeline.Samples.clip_len', ["'Samples'", "'Sample'"]),
    ('train_pipeline.ours.Cut.scale', ["'ours.Cut'", "'ours.Crop'"]),
    ('custom_hooks.A.x', ['2 items']),
    ('image_pipeline.Sample.x', ["'image_pipeline'"]),
])
def test_option_keys_of_no_item(load: Callable, key: str,
                                words: List[str]) -> None:
    with pytest.raises(ValueError) as error:
        option_keys(load(''), key)
    for word in words:
        assert word in str(error.value)
