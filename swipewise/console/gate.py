"""The door of the console: nobody passes without a session, and no page of elsewhere acts for somebody who has one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from swipewise.console.sessions import ANYBODY, Session, Sessions
from swipewise.errors import StoreError

Message = MutableMapping[str, Any]
AsgiScope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[AsgiScope, Receive, Send], Awaitable[None]]

COOKIE: Final = "swipewise_session"
SESSION: Final = "swipewise.session"
"""Where the ASGI scope holds the ``Session``."""
SIGN_IN: Final = "/sign-in"

_READING: Final = ("GET", "HEAD", "OPTIONS")
_OPEN_PREFIXES: Final = ("/assets/", "/_nicegui/")
_MADE_FOR_SOMEBODY: Final = "/dynamic_resources/"
_POLICY_VIOLATION: Final = 1008
_HEADERS: Final = (
    (
        b"content-security-policy",
        # NiceGUI compiles its pages' templates in the browser, which takes inline scripts and eval.
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; object-src 'none'; "
        b"base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    ),
)


class Gate:
    """ASGI middleware around the console.

    Args:
        app: What it guards.
        sessions: Who is signed in; None: the server asks for no keys, and this machine alone reaches it.
        origins: Addresses under which the console's own pages are reached beside that of the request.
    """

    def __init__(self, app: App, sessions: Sessions | None, origins: tuple[str, ...] = ()) -> None:
        self._app = app
        self._sessions = sessions
        self._origins = frozenset(origins)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        headers = Headers(scope=scope)
        if not self._is_own(scope, headers):
            await _refuse(scope, receive, send, PlainTextResponse("pages of elsewhere may not do this", 403))
            return
        try:
            session = await self._session(headers)
        except StoreError as error:
            await _refuse(scope, receive, send, PlainTextResponse(str(error), 503, {"Retry-After": "5"}))
            return
        if session is None and not _is_open(path):
            await _refuse(scope, receive, send, _to_sign_in(scope, path, headers))
            return
        scope[SESSION] = session
        if scope["type"] == "websocket" and session is not None and self._sessions is not None:
            channel = _Channel(self._sessions, session, receive, send)
            await self._app(scope, channel.receive, channel.send)
        else:
            await self._app(scope, receive, _with_headers(send))

    async def _session(self, headers: Headers) -> Session | None:
        if self._sessions is None:
            return ANYBODY
        return await run_in_threadpool(self._sessions.find, token_of(headers))

    def _is_own(self, scope: AsgiScope, headers: Headers) -> bool:
        """Whether what changes something, or keeps a channel open, was sent by a page of this server."""
        if scope["type"] == "http" and scope["method"] in _READING:
            return True
        origin = headers.get("origin")
        if origin in self._origins:
            return True
        # No page can make this one up, but browsers send it over HTTPS and to this machine alone.
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        # What sends neither is no browser, which alone holds a cookie for somebody.
        return origin is None or urlsplit(origin).netloc == headers.get("host", "")


class _Channel:
    """A WebSocket that is closed at the first message after its session is over."""

    def __init__(self, sessions: Sessions, session: Session, receive: Receive, send: Send) -> None:
        self._sessions = sessions
        self._session = session
        self._receive = receive
        self._send = send
        self._closed = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "websocket.receive" or await run_in_threadpool(self._lasts):
            return message
        await self.send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": "the session is over"})
        self._closed = True
        return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}

    async def send(self, message: Message) -> None:
        if not self._closed:
            await self._send(message)

    def _lasts(self) -> bool:
        try:
            return self._sessions.lasts(self._session)
        except StoreError:
            return False


def token_of(headers: Headers) -> str | None:
    """The token that a browser sends, None without one."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def _is_open(path: str) -> bool:
    if path.startswith(_OPEN_PREFIXES):
        return _MADE_FOR_SOMEBODY not in path
    return path in (SIGN_IN, "/favicon.ico")


def _to_sign_in(scope: AsgiScope, path: str, headers: Headers) -> Response:
    """To the sign-in for somebody who looks at a page, else a plain refusal."""
    if scope.get("method") != "GET" or "text/html" not in headers.get("accept", ""):
        return PlainTextResponse("sign in first", 401)
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = path + (f"?{query}" if query else "")
    return RedirectResponse(f"{scope.get('root_path', '')}{SIGN_IN}?next={quote(wanted, safe='')}", 303)


async def _refuse(scope: AsgiScope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "websocket":
        # Before the handshake this is answered with 403.
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""})
    else:
        await response(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return answer
