"""Batches become plain data, and batches again."""
import io
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.structures import InstanceData
from mmpretrain.structures import DataSample, MultiTaskDataSample

from mmvideomamba.engine.guard.plain_data import (KIND, from_plain, left_out,
                                                  snapshot, to_plain)


def through_a_file(value: Any) -> Any:
    file = io.BytesIO()
    torch.save(to_plain(value), file)
    file.seek(0)
    return from_plain(torch.load(file, weights_only=True))


def action_sample() -> ActionDataSample:
    sample = ActionDataSample(metainfo=dict(filename='a.mp4', size=(3, 4)))
    sample.set_gt_label(1)
    sample.set_field('a caption', 'text')
    sample.gt_instances = InstanceData(bboxes=torch.ones(2, 4))
    return sample


def test_data_samples() -> None:
    image = DataSample(metainfo=dict(img_path='a.png'))
    image.set_gt_label(2).set_gt_score(torch.rand(3))
    tasks = MultiTaskDataSample()
    tasks.set_field(image, 'first')
    batch = dict(
        inputs=[torch.rand(2, 3)],
        data_samples=[action_sample(), image, tasks])
    again = through_a_file(batch)
    assert torch.equal(again['inputs'][0], batch['inputs'][0])
    video, picture, both = again['data_samples']
    assert type(video) is ActionDataSample and type(both) is type(tasks)
    assert video.metainfo == dict(filename='a.mp4', size=(3, 4))
    assert video.text == 'a caption' and video.gt_label.tolist() == [1]
    assert torch.equal(video.gt_instances.bboxes, torch.ones(2, 4))
    assert torch.equal(picture.gt_score, image.gt_score)
    assert both.first.gt_label.item() == 2


@pytest.mark.parametrize('value', [
    dict(a=(1, 2.5, None, True), b=[dict(c='text')], d={1, 2}),
    {
        KIND: 'a dict with our key',
        'b': [1]
    },
    np.arange(6.).reshape(2, 3),
    np.array(['one', 'two']),
])
def test_other_values(value: Any) -> None:
    again = through_a_file(value)
    assert type(again) is type(value)
    np.testing.assert_equal(again, value)


def test_views_take_no_more_room() -> None:
    whole = torch.zeros(1000)
    assert to_plain(whole[:2]).untyped_storage().nbytes() == 8
    assert to_plain(np.float32(0.5)) == 0.5
    pair = namedtuple('pair', 'a b')
    assert to_plain(pair(1, 2)) == [1, 2]


def test_other_objects_are_listed() -> None:
    plain = to_plain(dict(model=dict(type=torch.nn.Linear), rest=[object()]))
    assert left_out(plain) == ['model.type (type)', 'rest.0 (object)']
    assert left_out(through_a_file(plain),
                    'x') == ['x.model.type (type)', 'x.rest.0 (object)']


def test_unknown_class_is_refused() -> None:
    with pytest.raises(ValueError, match="object of 'Popen', but only"):
        from_plain({KIND: 'Popen', 'meta': {}, 'data': {}})


def test_snapshot_keeps_what_a_model_changes() -> None:
    sample = action_sample()
    before = snapshot(dict(data_samples=[sample]))['data_samples'][0]
    sample.set_gt_label(0)
    sample.set_pred_score(torch.rand(2))
    sample.gt_instances.labels = torch.ones(2)
    assert before.gt_label.tolist() == [1] and 'pred_score' not in before
    assert 'labels' not in before.gt_instances
    assert before.metainfo == dict(filename='a.mp4', size=(3, 4))
    before.set_field(1, 'own')
    assert 'own' not in sample
