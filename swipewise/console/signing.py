"""Signing in with a key, and out."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from swipewise.console.gate import COOKIE, SESSION, SIGN_IN, token_of
from swipewise.console.markup import Markup, document, tag
from swipewise.console.sessions import Session, Sessions
from swipewise.errors import DataError, StoreError
from swipewise.events.audit_log import AuditLog

_LONGEST_FORM = 8 * 1024


def signing_routes(sessions: Sessions | None, audit: AuditLog) -> APIRouter:
    """The page to sign in, and what its forms are sent to."""
    router = APIRouter(include_in_schema=False)

    @router.get(SIGN_IN)
    def page(request: Request, next: str = "/") -> Response:
        session: Session | None = request.scope[SESSION]
        if session is not None:
            return RedirectResponse(_own(request, next), 303)
        return HTMLResponse(_page(request, next))

    @router.post(SIGN_IN)
    async def sign_in(request: Request) -> Response:
        form = await _form(request)
        wanted = form.get("next", "/")
        if sessions is None:
            return RedirectResponse(_own(request, wanted), 303)
        try:
            token, session = await run_in_threadpool(sessions.begin, form.get("key", ""))
            await run_in_threadpool(_noted, audit, session, "console sign in")
        except (DataError, StoreError) as error:
            status = 401 if isinstance(error, DataError) else 503
            return HTMLResponse(_page(request, wanted, str(error)), status)
        response = RedirectResponse(_own(request, wanted), 303)
        assert session.until is not None, "one that began with a key ends"
        response.set_cookie(
            COOKIE,
            token,
            expires=session.until,
            path=request.scope.get("root_path") or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            # A link from elsewhere opens the page it names; what changes something is held to its origin by the gate.
            samesite="lax",
        )
        return response

    @router.post("/sign-out")
    def sign_out(request: Request) -> Response:
        if sessions is not None:
            sessions.end(token_of(request.headers))
        response = RedirectResponse(f"{request.scope.get('root_path', '')}{SIGN_IN}", 303)
        response.delete_cookie(COOKIE, path=request.scope.get("root_path") or "/")
        return response

    return router


def _noted(audit: AuditLog, session: Session, action: str) -> None:
    entry = audit.begin(
        who=session.name, key_id=session.key_id, action=action, target=session.role, request_id="console"
    )
    audit.end(entry, 200)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form that is sent as browsers send the plainest; what is too long counts as empty."""
    body = await request.body()
    if len(body) > _LONGEST_FORM:
        return {}
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _own(request: Request, wanted: str) -> str:
    """The wanted page of the console, its first where the address leads elsewhere."""
    parts = urlsplit(wanted)
    own = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc
    return f"{request.scope.get('root_path', '')}{wanted if own else '/'}"


def _page(request: Request, wanted: str, complaint: str = "") -> str:
    root = request.scope.get("root_path", "")
    fields = Markup("").join(
        [
            tag("label", "Key", for_="key"),
            tag(
                "input",
                id="key",
                name="key",
                type="password",
                autocomplete="current-password",
                required=True,
                autofocus=True,
                aria_describedby="hint",
                aria_invalid="true" if complaint else None,
            ),
            tag("p", complaint, class_="complaint", role="alert") if complaint else Markup(""),
            tag("input", type="hidden", name="next", value=wanted),
            tag("button", "Sign in", class_="button primary", type="submit"),
            tag(
                "p",
                "A key of the scope ",
                tag("code", "admin"),
                " may do everything, one of the scope ",
                tag("code", "read"),
                " may look. ",
                tag("code", "swipewise keys create --scope admin"),
                " makes one.",
                id="hint",
                class_="hint",
            ),
        ]
    )
    body = tag(
        "main",
        tag("h1", "Swipewise"),
        tag("p", "Sign in to the console of this server.", class_="lead"),
        tag("form", fields, method="post", action=f"{root}{SIGN_IN}"),
        class_="sign-in card",
    )
    return document("Sign in", body, root)
