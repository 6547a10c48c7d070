"""Who may talk to the studio: this machine's browser, on the page that the command opened, and nobody else.

The guard stands before the application. It answers

    404   a path that does not begin with the secret token, which the printed address holds
    421   a Host header of another name than the loopback interface's, as of a page that rebinds its name to it
    403   an Origin header of another page
    413   a body that is longer than it says or than the studio reads

and it adds headers to every answer that keep the page apart from other pages: a content security policy without inline
scripts, no frames, no referrers with the token in them, and no CORS.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .problems import RequestError, to_json

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "worker-src": "'self' blob:",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
REMEDY = "use the address that arvae studio printed"


class Guard:
    def __init__(self, app: App, token: str, port: int) -> None:
        self.app, self.token = app, token
        self.hosts = {f"{name}:{port}" for name in NAMES}
        self.origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                added = HEADERS | ({} if b"cache-control" in names else {"cache-control": "no-store"})
                message["headers"] = [*message["headers"], *((n.encode(), v.encode()) for n, v in added.items())]
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            body = json.dumps(to_json(refusal)).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send_guarded({"type": "http.response.start", "status": refusal.status, "headers": headers})
            await send_guarded({"type": "http.response.body", "body": body})
            return
        scope["root_path"] = f"/{self.token}"
        await self.app(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> RequestError | None:
        def values(name: bytes) -> set[str]:
            return {value.decode("latin-1").lower() for key, value in scope["headers"] if key.lower() == name}

        if not values(b"host") or values(b"host") - self.hosts:
            return RequestError(421, "the request is for another host", remedy=REMEDY)
        if values(b"origin") - self.origins:
            return RequestError(403, "the request comes from another page", remedy=REMEDY)
        first = scope["path"].removeprefix("/").partition("/")[0]  # the path of a request may also be *
        if not secrets.compare_digest(first.encode(), self.token.encode()):
            return RequestError(404, "there is nothing here", remedy=REMEDY)
        return None
