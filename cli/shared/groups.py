"""Groups of options: a command takes options that belong together as one dataclass.

    @dataclass(frozen=True)
    class Voice:
        track: Track = None
        channel: Channel = None

    def inspect(files: Inputs, *, voice: Voice) -> int: ...

typer knows only single options. `flat` therefore makes a function that takes --track and --channel one by one, and
calls the command with a Voice.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def flat(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command as a function that takes each field of a dataclass parameter as a parameter of its own."""
    parameters = inspect.signature(command, eval_str=True).parameters.values()
    groups: dict[str, Any] = {one.name: one.annotation for one in parameters if is_dataclass(one.annotation)}
    if not groups:
        return command

    @wraps(command)
    def run(**given: Any) -> Any:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        return command(**given)

    found: list[inspect.Parameter] = []
    for one in parameters:
        found += _options(groups[one.name]) if one.name in groups else [one.replace(kind=one.KEYWORD_ONLY)]
    run.__signature__ = inspect.Signature(found)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {one.name: one.annotation for one in found}
    return run


def _options(group: Any) -> list[inspect.Parameter]:
    kinds = get_type_hints(group, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(one.name, keyword, default=one.default, annotation=kinds[one.name]) for one in fields(group)
    ]
