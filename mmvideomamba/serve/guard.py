"""The guard before the page: who may ask, and headers of all answers."""
import asyncio
import ipaddress
from typing import Any, Dict, Iterable, List, Optional, Tuple
from urllib.parse import urlsplit

Scope = Dict[str, Any]
Headers = List[Tuple[bytes, bytes]]

# Scripts, styles and pictures are files of the page; blob: plays a dropped
# video from the browser's own memory, data: shows its strip.
SECURITY: Headers = [(name.encode(), value.encode()) for name, value in {
    'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    'x-content-type-options':
    'nosniff',
    'x-frame-options':
    'DENY',
    'referrer-policy':
    'no-referrer',
    'cross-origin-opener-policy':
    'same-origin',
    'cross-origin-resource-policy':
    'same-origin',
}.items()]

_CLOSED = ('{"error": "the page is closed; start it again by: mmvideomamba '
           'search serve"}')


def is_loopback(host: str) -> bool:
    """Tell whether an address is of this machine alone.

    Args:
        host (str): Name or address.

    Returns:
        bool: True for 'localhost' and the loopback addresses.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == 'localhost'


def _host_name(netloc: str) -> Optional[str]:
    """Return the name or address in a Host header, None for a wrong one."""
    if any(sign in netloc for sign in '@/\\?#, \t'):
        return None
    try:
        parts = urlsplit(f'//{netloc}')
        parts.port  # a port that is not a number raises
    except ValueError:
        return None
    return parts.hostname


async def _answer(send: Any, status: int, kind: str, text: str) -> None:
    """Send an answer."""
    body = text.encode()
    headers = [(b'content-type', kind.encode()),
               (b'content-length', str(len(body)).encode())]
    await send(
        dict(type='http.response.start', status=status, headers=headers))
    await send(dict(type='http.response.body', body=body))


class Guard:
    """Refuse requests of other sites in the browser of the user.

    A site can point its own name to this machine (DNS rebinding), so names
    of hosts are checked; and a site can send forms and load videos of other
    addresses, so the origin is checked. No answer allows another site to
    read.

    Args:
        app (Callable): ASGI application.
        names (Iterable[str]): Names of the page, besides localhost.
        addresses (bool): Whether any address of the machine is allowed, or
            only loopback. Defaults to False.
    """

    def __init__(self,
                 app: Any,
                 names: Iterable[str] = (),
                 addresses: bool = False) -> None:
        self.app, self.addresses = app, addresses
        self.names = {name.lower() for name in names} | {'localhost'}

    def fault(self, method: str, path: str, headers: Headers) -> str:
        """Say why a request is refused.

        Args:
            method (str): Of HTTP.
            path (str): Of the request.
            headers (list[tuple[bytes, bytes]]): Names in lower case, and
                values.

        Returns:
            str: '' for an allowed request.
        """
        values: Dict[str, List[str]] = {}
        for name, value in headers:
            # latin-1 reads any byte, so no header ends in an error.
            values.setdefault(name.decode('latin-1'),
                              []).append(value.decode('latin-1'))
        hosts = values.get('host', [])
        if len(hosts) != 1 or not self._known(hosts[0]):
            return ('the page is not served under the name '
                    f'{", ".join(hosts)!r}; open the address that the command '
                    'prints')
        origins = values.get('origin', [])
        own = [f'{scheme}://{hosts[0]}' for scheme in ('http', 'https')]
        if any(origin not in own for origin in origins):
            return f'requests of {", ".join(origins)!r} are refused'
        site = values.get('sec-fetch-site', ['same-origin'])
        mode = values.get('sec-fetch-mode', [''])
        # A link on another site may open the page, but nothing else.
        visit = method == 'GET' and path == '/' and mode == ['navigate']
        if not visit and not set(site) <= {'same-origin', 'none'}:
            return 'requests of other sites are refused'
        return ''

    def _known(self, netloc: str) -> bool:
        """Tell whether a Host header names this server."""
        host = _host_name(netloc)
        if host is None:
            return False
        if host in self.names or is_loopback(host):
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return self.addresses

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer a request.

        Args:
            scope (dict): Of ASGI.
            receive (Callable): Of ASGI.
            send (Callable): Of ASGI.
        """
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return

        begun = False

        async def guarded(message: Dict[str, Any]) -> None:
            nonlocal begun
            begun = True
            if message['type'] == 'http.response.start':
                message = {
                    **message, 'headers': [*message['headers'], *SECURITY]
                }
            await send(message)

        fault = self.fault(scope['method'], scope['path'], scope['headers'])
        if fault:
            await _answer(guarded, 403, 'text/plain; charset=utf-8', fault)
            return
        try:
            await self.app(scope, receive, guarded)
        except asyncio.CancelledError:  # the server ends, as by Ctrl-C
            # Not raised again, as uvicorn would log a trace for each cancelled
            # request.
            if not begun:
                await _answer(guarded, 503, 'application/json', _CLOSED)
