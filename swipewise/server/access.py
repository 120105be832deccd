"""Which route takes which key. One that is not named here takes ``admin`` keys alone: none is open by oversight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from swipewise.events.keys import Scope
from swipewise.server.exchange import WEBSOCKET, Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a route asks for.

    Attributes:
        scope: Of the key; None: it takes no key.
        audited: Whether the audit has it though it only reads.
        limits_body: Whether the route itself bounds the body it takes; otherwise ``MAX_BYTES`` bounds it.
    """

    scope: Scope | None
    audited: bool = False
    limits_body: bool = False


_OPEN: Final = Access(scope=None)
_FEED: Final = Access(scope=Scope.FEED)
_ADMIN: Final = Access(scope=Scope.ADMIN)

ROUTES: Final = {
    ("GET", "/healthz"): _OPEN,
    ("GET", "/readyz"): _OPEN,
    ("GET", "/openapi.json"): _OPEN,
    ("GET", "/docs"): _OPEN,
    ("GET", "/docs/oauth2-redirect"): _OPEN,
    ("GET", "/redoc"): _OPEN,
    ("GET", "/v1/feed"): _FEED,
    ("GET", "/v1/videos/{video_id:path}/thumbnail"): _FEED,
    ("GET", "/v1/videos/{video_id:path}/similar"): _FEED,
    ("GET", "/v1/videos/{video_id:path}"): _FEED,
    ("POST", "/v1/events"): Access(scope=Scope.EVENTS, limits_body=True),
    ("POST", "/v1/videos"): Access(scope=Scope.ADMIN, limits_body=True),
    ("PUT", "/v1/videos/{video_id:path}/content"): Access(scope=Scope.ADMIN, limits_body=True),
    ("GET", "/v1/videos"): _ADMIN,
    ("DELETE", "/v1/videos/{video_id:path}"): _ADMIN,
    ("GET", "/v1/models"): _ADMIN,
    ("POST", "/v1/models/rollback"): _ADMIN,
    ("POST", "/v1/models/{run}/publish"): _ADMIN,
    ("GET", "/v1/viewers/{viewer_id}/profile"): _ADMIN,
    ("PUT", "/v1/viewers/{viewer_id}/profile"): Access(scope=Scope.ADMIN, limits_body=True),
    ("GET", "/v1/viewers/{viewer_id}/interests"): _ADMIN,
    ("GET", "/v1/viewers/{viewer_id}/controls"): _ADMIN,
    ("PUT", "/v1/viewers/{viewer_id}/controls"): Access(scope=Scope.ADMIN, limits_body=True),
    ("DELETE", "/v1/viewers/{viewer_id}/controls"): _ADMIN,
    ("GET", "/v1/viewers/{viewer_id}/export"): Access(scope=Scope.ADMIN, audited=True),
    ("DELETE", "/v1/viewers/{viewer_id}"): _ADMIN,
    ("GET", "/v1/jobs"): _ADMIN,
    ("GET", "/v1/jobs/{job_id}"): _ADMIN,
    ("GET", "/v1/audit"): _ADMIN,
    ("GET", "/metrics"): _ADMIN,
}
"""(method, template of the route) -> what it asks for."""

CONSOLE: Final = frozenset({("GET", "/"), ("GET", "/console"), ("POST", "/console"), (WEBSOCKET, "/console")})
"""What takes no key here as the console looks for itself who is signed in, where it is mounted."""


_OPEN_PATHS: Final = frozenset(template for (_, template), access in ROUTES.items() if access.scope is None)


def access_of(exchange: Exchange, path: str, *, open_metrics: bool) -> Access:
    """What a request asks for; of one that no route takes, the most, unless it only has the wrong method."""
    if exchange.route is None:
        return _OPEN if path in _OPEN_PATHS else _ADMIN
    if open_metrics and exchange.route == "/metrics":
        return _OPEN
    if (exchange.method, exchange.route) in CONSOLE:
        return _OPEN
    return ROUTES.get((exchange.method, exchange.route), _ADMIN)
