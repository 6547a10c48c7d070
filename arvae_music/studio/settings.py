"""The settings of an edit as the page and scripts send them: JSON, checked before anything is done with it.

    settings = Settings.from_json({"sliders": {"density": "+2notes"}, "bars": "1-4"})
    settings.request(model)       the EditRequest that the command line makes of the same options
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, nearest_or

if TYPE_CHECKING:
    from ..editing.request import EditRequest
    from ..library import Model

LONGEST = 2000  # characters of a text
LARGEST_NUMBER = 1e9  # far beyond all ranges; a larger integer need not fit into a float
LARGEST_SEED = 2**32 - 1
MOST_VARIATIONS = 100
MOST_PROPOSALS = 256


@dataclass(frozen=True)
class Settings:
    """The options of an edit. `library.Model.request` explains them."""

    sliders: tuple[tuple[str, str], ...] = ()  # attribute and request, in the order of the file's name
    bars: str | None = None
    keep: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    harmony: bool = True
    chords: str | None = None
    strength: float | None = None  # None is the default of an edit
    seed: int = 0
    each: bool = False
    free_ends: bool = False
    form: bool = True
    proposals: int | None = None  # None is the default of an edit; fewer make an edit faster, and less natural
    model: str | None = None  # None is the studio's model

    @classmethod
    def from_json(cls, body: Any) -> Settings:
        """Raises UsageError for data of another form."""
        return cls(**_read(body, _SETTINGS))

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"sliders": dict(self.sliders)}

    def request(self, model: Model) -> EditRequest:
        """The request for a model. Raises UsageError and CheckpointError as `Model.request` does."""
        from ..editing.request import PROPOSALS, STRENGTH

        return model.request(
            dict(self.sliders),
            bars=self.bars, keep=self.keep, lock=self.locks, harmony=self.harmony, chords=self.chords,
            strength=STRENGTH if self.strength is None else self.strength, seed=self.seed, each=self.each,
            free_ends=self.free_ends, form=self.form,
            proposals=PROPOSALS if self.proposals is None else self.proposals,
        )  # fmt: skip


@dataclass(frozen=True)
class VarySettings:
    """How many variations of what. `near` is an edit to vary further: its sliders are moved already."""

    editing: Settings
    how: Mapping[str, Any] = field(default_factory=dict)  # the count and the amount, if they are given
    near: str | None = None

    @classmethod
    def from_json(cls, body: Any) -> VarySettings:
        """Raises UsageError for data of another form."""
        found = _read(body, {**_SETTINGS, **_VARIATIONS})
        how: dict[str, Any] = {name: found.pop(name) for name in ("count", "amount") if name in found}
        near = found.pop("near", None)
        return cls(Settings(**found), how, near)


Reader = Callable[[str, Any], Any]


def _read(body: Any, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The checked values of the fields that are given."""
    if not isinstance(body, Mapping):
        raise UsageError("the settings are not a JSON object", remedy='send {"sliders": {"density": "+2notes"}}')
    for name in body:
        if name not in readers:
            remedy = nearest_or(str(name), readers, f"the settings are {', '.join(readers)}")
            raise UsageError(f"there is no setting {str(name)[:40]!r}", remedy=remedy)
    return {name: readers[name](name, value) for name, value in body.items()}


def _wrong(name: str, value: Any, kind: str) -> UsageError:
    return UsageError(f"{name} is {str(value)[:40]!r}", remedy=f"give {kind}")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise _wrong(name, value, f"a text of at most {LONGEST} characters")
    return value


def _optional_text(name: str, value: Any) -> str | None:
    return None if value is None or value == "" else _text(name, value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _wrong(name, value, "a list of names")
    return tuple(_text(name, one) for one in value)


def _sliders(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise _wrong(name, value, 'an object such as {"density": "+2notes"}')
    return tuple((str(slider), _text(str(slider), request)) for slider, request in value.items())


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST_NUMBER:
        raise _wrong(name, value, "a number")
    return float(value)


def _whole(lowest: int, highest: int) -> Reader:
    def read(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise _wrong(name, value, f"a whole number from {lowest} to {highest}")
        return value

    return read


def _optional(reader: Reader) -> Reader:
    def read(name: str, value: Any) -> Any:
        return None if value is None else reader(name, value)

    return read


_SETTINGS: dict[str, Reader] = {
    "sliders": _sliders,
    "bars": _optional_text,
    "keep": _texts,
    "locks": _texts,
    "harmony": _flag,
    "chords": _optional_text,
    "strength": _optional(_number),
    "seed": _whole(0, LARGEST_SEED),
    "each": _flag,
    "free_ends": _flag,
    "form": _flag,
    "proposals": _optional(_whole(0, MOST_PROPOSALS)),
    "model": _optional_text,
}
_VARIATIONS: dict[str, Reader] = {
    "count": _whole(1, MOST_VARIATIONS),
    "amount": _number,
    "near": _optional_text,
}
