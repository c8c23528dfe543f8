"""Answers of the page to a client."""
import io
import json
import os
import threading
import time
from email.utils import formatdate
from typing import Any, List

import av
import numpy as np
import pytest
from serve.conftest import NAMES, UPLOAD_MB, Served, pixels

from mmvideomamba.inference.search import Hits
from mmvideomamba.serve.app import WAITING
from mmvideomamba.serve.videos import VideoError


def red_of(jpeg: bytes) -> float:
    return float(np.median(pixels(jpeg)[..., 2]))


def test_about(served: Served) -> None:
    assert served.ask('/api/about').json == dict(
        name='index',
        videos=3,
        unreadable=0,
        windows=12,
        rerank=24,
        label=True,
        ask=True,
        upload_bytes=UPLOAD_MB << 20)


def test_search(served: Served) -> None:
    """The page shows the hits of the index."""
    service = served.service
    found = served.post('/api/search', sentence='a square moves left').json
    expected = service.index.query(
        'a square moves left', 12, predictor=service.predictor)
    assert [(one['video'], one['start']) for one in found['hits']] == [
        (service.videos.name(hit.video), hit.start) for hit in expected
    ]
    assert found['notes'] == []
    assert {one['title']
            for one in found['hits']
            } == {'a.mp4', 'b.webm', 'more/c <b>&.avi'}
    judged = served.post(
        '/api/search', sentence='a disc', rerank=True, one_per_video=True).json
    assert len(judged['hits']) == 3
    values = [one['probability'] for one in judged['hits']]
    assert values == sorted(values, reverse=True) and None not in values


@pytest.mark.parametrize('body, error', [
    (b'', 'is not a JSON object'),
    (b'[1]', 'is not a JSON object'),
    (b'\xff', 'is not a JSON object'),
    (b'[' * 60000, 'is not a JSON object'),
    (b'{"sentence": " "}', 'the sentence is empty'),
    (b'{"sentence": ["a"]}', 'the sentence is empty'),
    (json.dumps(dict(sentence='a ' * 200)).encode(), 'shorten'),
    (b' ' * 70000, 'longer than 65536 bytes'),
])
def test_bad_searches(served: Served, body: bytes, error: str) -> None:
    found = served.ask('/api/search', 'POST', body)
    assert found.status == 400 and error in found.json['error']
    assert '\n' not in found.json['error']


def test_methods(served: Served) -> None:
    assert served.ask('/api/search').status == 405
    assert served.ask('/api/about', 'POST').status == 405
    assert served.ask(f'/videos/{served.video("a.mp4")}',
                      'DELETE').status == 405


def test_ranges(served: Served) -> None:
    """A video streams by range; conditional requests are answered."""
    path = f'/videos/{served.video("a.mp4")}'
    file = served.folder / 'videos' / 'a.mp4'
    data = file.read_bytes()
    whole = served.ask(path)
    assert whole.status == 200 and whole.body == data
    assert whole.headers['accept-ranges'] == 'bytes'
    assert whole.headers['content-type'] == 'video/mp4'
    size = len(data)
    for text, first, behind in (('0-0', 0, 1), ('10-19', 10, 20),
                                (f'{size - 5}-', size - 5,
                                 size), ('-7', size - 7,
                                         size), (f'0-{10 * size}', 0, size)):
        part = served.ask(path, headers={'Range': f'bytes={text}'})
        assert part.status == 206 and part.body == data[first:behind]
        assert part.headers['content-range'] == (
            f'bytes {first}-{behind - 1}/{size}')
    beyond = served.ask(path, headers={'Range': f'bytes={size}-'})
    assert beyond.status == 416
    assert beyond.headers['content-range'] == f'bytes */{size}'
    tag = whole.headers['etag']
    same = served.ask(path, headers={'If-None-Match': tag})
    assert same.status == 304 and same.body == b''
    date = formatdate(file.stat().st_mtime, usegmt=True)
    assert served.ask(path, headers={'If-Modified-Since': date}).status == 304
    for mark, status in ((tag, 206), ('"other"', 200)):
        found = served.ask(
            path, headers={
                'Range': 'bytes=0-3',
                'If-Range': mark
            })
        assert found.status == status
    head = served.ask(path, 'HEAD')
    assert head.body == b'' and head.headers['content-length'] == str(size)


def test_frames(served: Served) -> None:
    """The picture is the frame on the screen at the time."""
    for title in ('a.mp4', 'b.webm', 'more/c <b>&.avi'):
        name = served.video(title)
        for at, red in ((0.5, 0), (1.5, 60), (3.99, 180), (99, 180)):
            found = served.ask(f'/frames/{name}?at={at}')
            assert found.headers['content-type'] == 'image/jpeg'
            assert red_of(found.body) == pytest.approx(red, abs=9), title
    for wrong in ('', 'x', 'nan', 'inf', '-1'):
        found = served.ask(f'/frames/{name}?at={wrong}')
        assert found.status == 400 and 'number of seconds' in found.json[
            'error']


def test_clips(served: Served) -> None:
    """A part of an .avi file comes as H.264."""
    path = f'/clips/{served.video("more/c <b>&.avi")}?start=1&end=2.5'
    found = served.ask(path)
    assert found.status == 200
    file: Any
    with av.open(io.BytesIO(found.body)) as file:
        stream = file.streams.video[0]
        assert stream.codec_context.name == 'h264'
        frames = [
            one.to_ndarray(format='rgb24') for one in file.decode(video=0)
        ]
    reds = [float(np.median(frame[..., 0])) for frame in frames]
    assert reds == pytest.approx([60] * 10 + [120] * 5, abs=9)
    assert served.ask(path, headers={'Range': 'bytes=0-3'}).status == 206
    late = served.ask(path.replace('start=1&end=2.5', 'start=7&end=8'))
    assert late.status == 400 and 'lasts 4.000 s' in late.json['error']


def test_ask(served: Served) -> None:
    values: Any = dict(
        video=served.video('a.mp4'), question='what moves', start=1, end=2)
    found = served.post('/api/ask', **values).json['answers']
    expected = served.service.qa.answer(
        str(served.folder / 'videos' / 'a.mp4'),
        'what moves',
        start=1.,
        end=2.)
    assert [one['text'] for one in found] == [one.text for one in expected]
    assert found[0]['probability'] == pytest.approx(expected[0].probability)
    for change, status, error in ((dict(video='0-00000000'), 404,
                                   'search again'), (dict(start=9, end=10),
                                                     400, 'lasts 4.000 s'),
                                  (dict(question=''), 400,
                                   'the question is empty'),
                                  (dict(end=None), 400,
                                   'end must be a number of seconds')):
        wrong = served.post('/api/ask', **{**values, **change})
        assert wrong.status == status and error in wrong.json['error']


def look(served: Served, body: Any, **headers: str) -> Any:
    return served.ask('/api/look', 'POST', body, headers)


def test_look(served: Served) -> None:
    """A dropped video gets labels, a strip and neighbours, and is deleted."""
    data = (served.folder / 'dropped.mp4').read_bytes()
    found = look(served, data).json
    names = [one['name'] for one in found['labels']]
    assert len(names) == 5 and set(names) < set(NAMES)
    assert found['strip'].startswith('data:image/jpeg;base64,')
    assert len(found['hits']) == 3 and found['hits'][0]['title'] == 'b.webm'
    assert found['hits'][0]['score'] > .99
    assert served.left() == []


def test_bad_uploads(served: Served) -> None:
    headers = {'X-File-Name': 'my%20film.mp4'}
    for body, error in ((b'no video at all',
                         'my film.mp4 is not a video'), (b'', 'is empty'),
                        (b'#EXTM3U\n#EXTINF:1,\n/etc/passwd\n', 'my film.mp4'),
                        (b'ffconcat version 1.0\nfile /etc/passwd\n',
                         'my film.mp4')):
        found = look(served, body, **headers)
        assert found.status == 400 and error in found.json['error']
        assert str(served.moment) not in found.json['error']
    assert served.left() == []


@pytest.mark.parametrize('chunked', [False, True])
def test_large_uploads(served: Served, chunked: bool) -> None:
    """A body is refused by the announced size, or once too long."""
    body: Any = bytes(UPLOAD_MB << 20) + b'1'
    if chunked:
        body = iter([body[:700000], body[700000:]])
    found = look(served, body)
    assert found.status == 413
    assert f'larger than {UPLOAD_MB} MB' in found.json['error']
    assert served.left() == []


def test_broken_upload(served: Served) -> None:
    """A broken upload leaves no file."""

    def parts() -> Any:
        yield b'x' * 1000
        raise KeyError('gone')

    with pytest.raises(KeyError):
        look(served, parts())
    for _ in range(100):
        if not served.left():
            break
        time.sleep(.05)
    assert served.left() == []
    assert served.ask('/api/about').status == 200


def test_the_page_answers_while_the_model_works(
        served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call of the model at a time; a full line refuses."""
    go = threading.Event()
    running: List[int] = []
    most: List[int] = []
    query = served.service.index.query

    def slow(*args: Any) -> Any:
        running.append(1)
        most.append(len(running))
        assert go.wait(60)
        running.pop()
        return query(*args)

    monkeypatch.setattr(served.service.index, 'query', slow)
    answers: List[int] = []

    def post() -> None:
        found = served.post('/api/search', sentence='a disc')
        if found.status == 503:
            assert 'try again' in found.json['error']
        answers.append(found.status)

    threads = [threading.Thread(target=post) for _ in range(WAITING + 3)]
    for thread in threads:
        thread.start()
    for _ in range(600):
        if len(answers) == 3:
            break
        time.sleep(.05)
    assert answers == [503] * 3 and most == [1]
    name = served.video('a.mp4')
    part = served.ask(f'/videos/{name}', headers={'Range': 'bytes=0-9'})
    assert part.status == 206
    assert served.ask(f'/frames/{name}?at=0.2').status == 200
    assert served.ask('/api/about').status == 200
    go.set()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [200] * WAITING + [503] * 3
    assert max(most) == 1


def test_a_fault_of_the_program(served: Served,
                                monkeypatch: pytest.MonkeyPatch) -> None:

    def broken(*args: Any) -> None:
        raise RuntimeError('secret detail')

    monkeypatch.setattr(served.service.index, 'query', broken)
    found = served.post('/api/search', sentence='a disc')
    assert found.status == 500 and b'secret' not in found.body
    assert 'the log of the command' in found.json['error']
    assert found.headers['content-security-policy']


def test_names_of_other_bytes(served: Served,
                              monkeypatch: pytest.MonkeyPatch) -> None:
    """A name not in UTF-8 breaks neither errors nor notes."""
    name = os.fsdecode(b'\xff.mp4')

    def gone(*args: Any) -> None:
        raise VideoError(f'{name} is gone')

    path = f'/videos/{served.video("a.mp4")}'
    monkeypatch.setattr(served.service.videos, 'open', gone)
    found = served.ask(path)
    assert found.status == 404 and found.json['error'] == f'{name} is gone'
    monkeypatch.setattr(served.service.index, 'query',
                        lambda *args: Hits([], [name]))
    found = served.post('/api/search', sentence='a disc')
    assert found.status == 200 and name in found.json['notes'][0]
