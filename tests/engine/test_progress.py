"""The position within a training is kept in the message hub."""
from mmengine.logging import MessageHub

from mmvideomamba.engine.progress import note_progress, read_progress


def test_record_is_changed_by_key() -> None:
    hub = MessageHub('test_progress')
    assert read_progress(hub) == {}
    note_progress(hub, batches=3, validated=False)
    note_progress(hub, validated=True)
    assert read_progress(hub) == dict(batches=3, validated=True)


def test_record_is_saved_with_the_hub() -> None:
    hub = MessageHub('test_progress_saved')
    note_progress(hub, batches=3)
    other = MessageHub('test_progress_loaded')
    other.load_state_dict(hub.state_dict())
    assert read_progress(other) == dict(batches=3)


def test_record_is_a_copy() -> None:
    hub = MessageHub('test_progress_copy')
    note_progress(hub, batches=3)
    read_progress(hub)['batches'] = 4
    assert read_progress(hub) == dict(batches=3)
