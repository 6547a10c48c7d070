"""The items of a batch with their outputs, planned at once or, if there may be very many, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from ..errors import UsageError
from ..system import storage
from ..system.outputs import Planned, Request, planned_in, refuse_clashes
from .listing import Entry, Listing
from .target import Target

T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class Items(Generic[T]):
    """The items of a listing, each made when it is needed."""

    listing: Listing
    make: Callable[[Entry], T]

    def __len__(self) -> int:
        return len(self.listing)

    def __iter__(self) -> Iterator[T]:
        return map(self.make, self.listing)


def planned_later(
    found: Listing,
    request_of: Callable[[Entry], Request],
    target: Target,
    *,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> Items[Planned]:
    """One output for each input. Raises UsageError if two outputs in a folder have the same name or one is an input."""
    usual = partial(planned_in, target.root, row=target.table, overwrite=overwrite)
    plans = Items(found, lambda entry: usual(request_of(entry), skip_existing=skip_existing))
    if not target.table:
        refuse_clashes(lambda: (usual(request_of(entry)) for entry in found.names()))
    return plans


def refuse_lost_tables(found: Listing, target: Target, *, skip_existing: bool) -> None:
    """Raises UsageError for a table with `skip_existing`, because a batch writes all parts of its table, and for one
    that the batch reads too, because it would be removed before it is read."""
    if not target.table:
        return
    if skip_existing:
        raise UsageError("a table has no outputs to skip", remedy="give resume=True to continue it")
    if any(storage.holds(target.root, source) for source in found.sources):
        remedy = "name another table with output=..."
        raise UsageError("is an input of the batch, too", where=str(target.root), remedy=remedy)


def described(value: Any) -> Any:
    """A request as JSON types that are the same in every process: the members of a set are sorted."""
    if is_dataclass(value) and not isinstance(value, type) and type(value).__str__ is object.__str__:
        return {field.name: described(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): described(one) for key, one in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, (list, tuple)):
        return [described(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
