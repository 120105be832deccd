"""Who may ask for what: keys, rates, pages' origins, and the audit of what administrators do."""

from __future__ import annotations

import ipaddress
import logging
import math
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from swipewise.config import ServerConfig
from swipewise.errors import StoreError
from swipewise.events.audit_log import AuditLog
from swipewise.events.keys import ApiKey, Scope
from swipewise.server.access import Access, access_of
from swipewise.server.exchange import EXCHANGE, Exchange, HttpScope, Message, Receive, Send
from swipewise.server.intake import MAX_BYTES
from swipewise.server.keyring import KeyRing
from swipewise.server.limits import BodyLimits, RateLimits
from swipewise.server.messages import Problem
from swipewise.server.problems import problem, store_problem

_logger = logging.getLogger(__name__)

_READING: Final = ("GET", "OPTIONS")
# The audit outlives the viewer, whose id may have to be forgotten; all other ids it keeps.
_VIEWER: Final = "{viewer_id"
_NOBODY: Final = "anybody (server.keys is off)"
_POLICY_VIOLATION: Final = 1008


class _RefusedError(Exception):
    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


class Guard:
    """ASGI middleware that lets a request pass only with what its route asks for.

    Args:
        app: What it guards.
        config: Whether keys are asked for, and the limits.
        ring: The keys.
        audit: Takes down what administrators do, before they do it.
    """

    def __init__(self, app: BodyLimits, config: ServerConfig, ring: KeyRing, audit: AuditLog) -> None:
        self._app = app
        self._config = config
        self._ring = ring
        self._audit = audit
        self._limits = RateLimits(config)

    async def __call__(self, scope: HttpScope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send, max_bytes=math.inf)
            return
        exchange: Exchange = scope[EXCHANGE]
        access = access_of(exchange, scope["path"], open_metrics=self._config.open_metrics)
        try:
            key = await self._admit(scope, exchange, access.scope)
            _check_spelling(scope)
            entry = await self._begin(scope, exchange, access, key)
        except (_RefusedError, StoreError) as refused:
            await _refuse(scope, receive, send, refused)
            return
        try:
            max_bytes = math.inf if access.limits_body else MAX_BYTES
            await self._app(scope, receive, send, max_bytes=max_bytes)
        finally:
            if entry is not None:
                await run_in_threadpool(self._end, entry, exchange.status or 500)

    async def _admit(self, scope: HttpScope, exchange: Exchange, needed: Scope | None) -> ApiKey | None:
        """The key a request came with.

        Raises:
            _RefusedError: It may not pass.
            StoreError: The keys cannot be read.
        """
        headers = Headers(scope=scope)
        if self._config.keys == "off":
            self._check_page(scope, headers)
            self._check_rate(_address(scope), needed)
            return None
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        key = await self._ring.find(sent.strip()) if needed and scheme.lower() == "bearer" else None
        exchange.key = key.name if key else None
        self._check_rate(key.key_id if key else _address(scope), needed)
        if needed is None:
            return None
        if key is None:
            wrong = "the key in the header Authorization is not known here" if sent else "this takes a key"
            raise _unauthorized(f"{wrong}: send 'Authorization: Bearer KEY' with one from 'swipewise keys create'")
        if fault := key.fault(datetime.now(UTC)):
            raise _unauthorized(f"key {key.name!r} {fault}: make another with 'swipewise keys create'")
        if not key.allows(needed):
            raise _RefusedError(
                403,
                f"key {key.name!r} has the scope {', '.join(sorted(key.scopes))}, this takes the scope {needed}: "
                f"make another with 'swipewise keys create --scope {needed}'",
                {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{needed}"'},
            )
        return key

    def _check_rate(self, client: str, needed: Scope | None) -> None:
        if wait := self._limits.wait(client, needed):
            seconds = math.ceil(wait)
            raise _RefusedError(429, f"too many requests: try again in {seconds} s", {"Retry-After": str(seconds)})

    def _check_page(self, scope: HttpScope, headers: Headers) -> None:
        """Without keys a browser on this machine would let any page act: by its scripts or by a name it points here.

        Raises:
            _RefusedError: The request was sent by a page of elsewhere.
        """
        host = headers.get("host", "")
        named = {_place(origin) for origin in self._config.origins}
        server = (scope.get("server") or ("",))[0]
        if _is_loopback(server) and host not in named and not _is_here(_name(host)):
            raise _RefusedError(
                403,
                f"without keys this answers under its own address alone, not as {host!r}: add the page's address to "
                'server.origins, or set server.keys = "required"',
            )
        origin = headers.get("origin")
        if origin and origin not in self._config.origins and _place(origin) != host:
            raise _RefusedError(
                403, f"pages of {origin!r} may not call this: add it to server.origins if they should"
            )

    async def _begin(self, scope: HttpScope, exchange: Exchange, access: Access, key: ApiKey | None) -> int | None:
        """Take down what is about to be done; None where that need not be known.

        Raises:
            StoreError: It cannot be taken down.
        """
        told = access.audited or exchange.method not in _READING
        if access.scope is not Scope.ADMIN or exchange.route is None or not told:
            return None
        return await run_in_threadpool(
            self._audit.begin,
            who=key.name if key else _NOBODY,
            key_id=key.key_id if key else None,
            action=f"{exchange.method} {exchange.route}",
            target=exchange.route if _VIEWER in exchange.route else scope["path"],
            request_id=exchange.request_id,
        )

    def _end(self, entry: int, status: int) -> None:
        try:
            self._audit.end(entry, status)
        except StoreError as error:
            # It is on disk that the action was begun, and it is answered already.
            _logger.error("the audit does not know how action %d ended: %s", entry, error)


def _check_spelling(scope: HttpScope) -> None:
    """Names that differ in bytes that are no UTF-8 would all be read as the same name.

    Raises:
        _RefusedError: There are such bytes in the address.
    """
    for part, sent in (("path", scope.get("raw_path")), ("query", scope.get("query_string"))):
        try:
            unquote_to_bytes(sent or b"").decode()
        except UnicodeDecodeError as error:
            raise _RefusedError(
                422, f"the {part} is no UTF-8 at byte {error.start}, percent signs decoded: send it as UTF-8"
            ) from error


async def _refuse(scope: HttpScope, receive: Receive, send: Send, error: Exception) -> None:
    if scope["type"] == "websocket":
        # Before the handshake this is answered with 403.
        message: Message = {"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": ""}
        await send(message)
    elif isinstance(error, _RefusedError):
        await problem(error.status, Problem(error=str(error)), error.headers)(scope, receive, send)
    else:
        await store_problem(error)(scope, receive, send)


def _unauthorized(message: str) -> _RefusedError:
    return _RefusedError(401, message, {"WWW-Authenticate": 'Bearer realm="swipewise"'})


def _address(scope: HttpScope) -> str:
    return f"address {(scope.get('client') or ('unknown',))[0]}"


def _place(origin: str) -> str | None:
    """The host and port of a page's origin, None where it is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _name(host: str) -> str | None:
    """The name in a Host header, empty where there is no header, None where it is no address."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return None


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_here(name: str | None) -> bool:
    """Whether a host's name cannot be one that a stranger has pointed to this machine."""
    if name is None:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in ("", "localhost") or name.endswith(".localhost")
    return True
