"""Errors as answers of the server: a status, and what happened, where, and what to do."""

from __future__ import annotations

from typing import Any

from ..errors import ArvaeError, ExtraError, InputError


class RequestError(ArvaeError):
    """A request that the studio refuses. `status` is the HTTP status that says so."""

    def __init__(self, status: int, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status = status


def status_of(error: ArvaeError) -> int:
    """422 for a file that cannot be read or edited, 501 if a library is missing, 400 for wrong settings."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, ExtraError):
        return 501
    return 422 if isinstance(error, InputError) else 400


def to_json(error: ArvaeError) -> dict[str, Any]:
    return {"error": {"what": error.what, "where": error.where or "", "remedy": error.remedy or ""}}
