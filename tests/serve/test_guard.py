"""Requests of other sites are refused, under any name."""
import asyncio
import json
from typing import Any, Dict, List

import pytest
from serve.conftest import Served

from mmvideomamba.serve.guard import Guard, is_loopback

LOCAL = Guard(None)
OPEN = Guard(None, ['box.example'], addresses=True)


def fault(guard: Guard,
          method: str = 'POST',
          path: str = '/api/search',
          **headers: Any) -> str:
    return guard.fault(method, path,
                       [(name.replace('_', '-').encode(), value.encode())
                        for name, value in headers.items()])


@pytest.mark.parametrize('host, local, all_addresses', [
    ('127.0.0.1:8000', True, True),
    ('localhost', True, True),
    ('LOCALHOST:80', True, True),
    ('[::1]:8000', True, True),
    ('127.8.9.1', True, True),
    ('192.168.1.7:8000', False, True),
    ('box.example:8000', False, True),
    ('BOX.example', False, True),
    ('evil.example', False, False),
    ('localhost.evil.example:8000', False, False),
    ('127.0.0.1.evil.example', False, False),
    ('evil.example#@127.0.0.1', False, False),
    ('a@127.0.0.1', False, False),
    ('127.0.0.1:x', False, False),
    ('127.0.0.1, evil.example', False, False),
    ('[::1', False, False),
    ('', False, False),
])
def test_hosts(host: str, local: bool, all_addresses: bool) -> None:
    """Names of other sites are refused (DNS rebinding)."""
    assert (not fault(LOCAL, host=host)) == local
    assert (not fault(OPEN, host=host)) == all_addresses


def test_no_host_or_two() -> None:
    assert 'not served under' in LOCAL.fault('GET', '/', [])
    two = [(b'host', b'localhost'), (b'host', b'evil.example')]
    assert 'evil.example' in LOCAL.fault('GET', '/', two)


@pytest.mark.parametrize('headers, allowed', [
    (dict(), True),
    (dict(origin='http://localhost:8000'), True),
    (dict(origin='https://localhost:8000'), True),
    (dict(origin='http://localhost:9000'), False),
    (dict(origin='http://evil.example'), False),
    (dict(origin='null'), False),
    (dict(origin=''), False),
    (dict(sec_fetch_site='same-origin'), True),
    (dict(sec_fetch_site='none'), True),
    (dict(sec_fetch_site='cross-site'), False),
    (dict(sec_fetch_site='same-site'), False),
    (dict(origin='http://localhost:8000', sec_fetch_site='cross-site'), False),
])
def test_origins(headers: Dict[str, str], allowed: bool) -> None:
    """Neither a form nor a picture of another site reaches the page."""
    for method, path in (('POST', '/api/search'), ('GET', '/videos/1')):
        found = fault(LOCAL, method, path, host='localhost:8000', **headers)
        assert (not found) == allowed


def test_a_link_to_the_page() -> None:
    """Other sites may link to the page, and to nothing else."""
    visit: Dict[str, str] = dict(
        host='localhost',
        sec_fetch_site='cross-site',
        sec_fetch_mode='navigate')
    assert not fault(LOCAL, 'GET', '/', **visit)
    assert fault(LOCAL, 'GET', '/videos/1', **visit)
    assert fault(LOCAL, 'POST', '/', **visit)


def test_loopback() -> None:
    assert all(map(is_loopback, ('localhost', '127.0.0.1', '::1')))
    assert not any(map(is_loopback, ('0.0.0.0', '::', 'box', '10.0.0.1')))


def test_over_the_wire(served: Served) -> None:
    """The guard stands before every address; all answers have headers."""
    for path in ('/', '/page/page.js', '/api/about', '/nothing'):
        refused = served.ask(path, headers={'Host': 'evil.example'})
        assert refused.status == 403 and b'evil.example' in refused.body
        found = served.ask(path)
        assert found.status == (404 if path == '/nothing' else 200)
        for answer in (refused, found):
            policy = answer.headers['content-security-policy']
            assert "default-src 'none'" in policy
            assert 'unsafe' not in policy
            assert answer.headers['x-content-type-options'] == 'nosniff'
            assert 'access-control-allow-origin' not in answer.headers
            assert 'server' not in answer.headers
    page = served.ask('/').body.decode()
    assert 'style=' not in page and '<script>' not in page


def test_a_call_at_the_end_of_the_server() -> None:
    """A cancelled request is answered, and leaves no trace in the log."""
    sent: List[Any] = []

    async def cancelled(*args: Any) -> None:
        raise asyncio.CancelledError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = dict(
        type='http', method='GET', path='/', headers=[(b'host', b'localhost')])
    asyncio.run(Guard(cancelled)(scope, None, send))
    assert sent[0]['status'] == 503
    assert (b'x-frame-options', b'DENY') in sent[0]['headers']
    assert 'start it again' in json.loads(sent[1]['body'])['error']
