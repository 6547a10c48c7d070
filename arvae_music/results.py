"""The results that edits, variations and interpolations return, with attribute names, musical units and pictures.

    result = arvae_music.edit("melody.mid", density="+2notes")
    result["density"].before, result["density"].achieved      means over the selected measures, in notes
    result.to_frame()                                         a pandas table, one row a measure and attribute
    result.save("denser.mid")

As the last expression of a notebook cell, an edit shows a piano roll that marks the changed notes.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Floats
from .editing import edit as engine
from .io.score_output import file_of
from .music.attributes import AttributeSpec, evaluate
from .music.melody import Melody
from .networks.model import Model
from .system.extras import need
from .system.files import write_whole

if TYPE_CHECKING:
    import pandas

    from .editing import interpolate as interpolating
    from .editing import vary as varying
    from .io.midi import Song


@dataclass(frozen=True)
class AttributeResult:
    """One attribute of an edit: means over the selected measures, in `unit`."""

    name: str
    unit: str  # "notes", "st" (semitones), "pt" (percentage points), "levels"
    before: float
    asked: float | None  # the requested value; None where nothing was requested
    achieved: float
    measures: int  # how many measures were selected and could be read
    hits: int  # how many of them have exactly the requested value

    @property
    def exact(self) -> bool:
        """Whether every selected measure has exactly the requested value; True where nothing was requested."""
        return self.hits == self.measures

    def __str__(self) -> str:
        goal = "" if self.asked is None else f" (requested {self.asked:.3g})"
        return f"{self.name} {self.before:.3g} -> {self.achieved:.3g} {self.unit}{goal}"


@dataclass(frozen=True, repr=False)
class EditResult(engine.EditResult):
    """The edited melody, and every attribute by name: `result["density"].achieved`. Iterating gives the names."""

    original: Melody = field(kw_only=True)
    units: tuple[str, ...] = field(kw_only=True)  # in the order of `names`
    sizes: Floats = field(kw_only=True)  # (measures, k) raw value of one unit
    song: Song | None = field(default=None, kw_only=True)  # the file that the melody comes from

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __getitem__(self, name: str) -> AttributeResult:
        """Raises KeyError for an attribute that was not measured."""
        if name not in self.names:
            raise KeyError(f"{name!r} was not measured; the result has {', '.join(self.names)}")
        k = self.names.index(name)
        sizes = self.sizes[:, k]
        asked = self.mean("asked", k, sizes)
        return AttributeResult(
            name,
            self.units[k],
            self.mean("before", k, sizes),
            None if np.isnan(asked) else asked,
            self.mean("achieved", k, sizes),
            len(self.bars),
            sum(bool(bar.exact[k]) for bar in self.bars),
        )

    def to_frame(self) -> pandas.DataFrame:
        """One row a selected measure and attribute, values in units. Raises UsageError without pandas."""
        rows = [
            {
                "measure": bar.number,
                "meter": bar.meter.name,
                "attribute": name,
                "unit": self.units[k],
                "before": bar.before[k] / size[k],
                "asked": bar.asked[k] / size[k],
                "achieved": bar.achieved[k] / size[k],
                "exact": bool(bar.exact[k]),
                "changed": bar.changed,
            }
            for bar, size in zip(self.bars, self.sizes, strict=True)
            for k, name in enumerate(self.names)
        ]
        return frame(rows)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the melody's file with the edited measures, or a new MIDI file for a melody without a file. The suffix
        of a score (.musicxml, .mxl, .abc) writes a score.

        Raises OutputError if the file exists and `overwrite` is False, or if it cannot be written.
        """
        song = self.melody if self.song is None else self.song
        write_whole(Path(path), file_of(song, self.melody, Path(path).suffix), overwrite=overwrite)

    def __repr__(self) -> str:
        changed = sum(bar.changed for bar in self.bars)
        requested = [str(self[name]) for name in self if self[name].asked is not None]
        requests = f"; {', '.join(requested)}" if requested else ""
        return f"<EditResult of {self.melody.name!r}: {changed} of {len(self.bars)} measures changed{requests}>"

    def _repr_html_(self) -> str:
        from .reports.piano_roll import svg

        return f"<p>{html.escape(repr(self)[1:-1])}</p>{svg(self.original, self.melody, title=self.melody.name)}"


@dataclass(frozen=True)
class Variation:
    """One variation. `result` compares it with the input melody: values before, requested and achieved."""

    result: EditResult
    amount: float  # share of the notes of `VaryResult.base` that differ, 0 to 1

    @property
    def melody(self) -> Melody:
        return self.result.melody


@dataclass(frozen=True, repr=False)
class VaryResult:
    """The variations, and the edit that they vary. Iterating gives the variations."""

    base: EditResult  # the input melody with the requested changes
    variations: tuple[Variation, ...]
    wanted: int  # how many variations were requested

    @property
    def short(self) -> int:
        """How many of the requested variations are missing."""
        return self.wanted - len(self.variations)

    def __iter__(self) -> Iterator[Variation]:
        return iter(self.variations)

    def __repr__(self) -> str:
        return f"<VaryResult: {len(self.variations)} variations of {self.base.melody.name!r}>"


@dataclass(frozen=True, repr=False)
class Interpolation:
    """The melodies of an interpolation, and each one compared with the first. Iterating gives the melodies."""

    melodies: tuple[Melody, ...]
    ends: tuple[int, ...]  # indices of the input melodies in `melodies`
    results: tuple[EditResult, ...]  # each melody as an edit of the first

    def __iter__(self) -> Iterator[Melody]:
        return iter(self.melodies)

    def __repr__(self) -> str:
        ends = " to ".join(repr(self.melodies[i].name) for i in self.ends)
        return f"<Interpolation of {len(self.melodies)} melodies: {ends}>"


@dataclass(frozen=True, repr=False)
class Inspection:
    """A melody's attributes measure by measure: `inspection["density"]` is an array in notes."""

    melody: Melody
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: Floats  # (measures, k) in units; NaN in measures that arvae cannot read
    song: Song | None = None  # the melody's file; `song.found.why` explains why this voice was chosen

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __getitem__(self, name: str) -> Floats:
        """(measures,) values in the attribute's unit. Raises KeyError for an attribute that was not measured."""
        if name not in self.names:
            raise KeyError(f"{name!r} was not measured; the inspection has {', '.join(self.names)}")
        column: Floats = self.values[:, self.names.index(name)]
        return column

    @property
    def chords(self) -> list[str | None]:
        """The chords of every measure, such as "C G7"; None where none is known."""
        return self.melody.chords

    def to_frame(self) -> pandas.DataFrame:
        """One row a measure and attribute. Raises UsageError without pandas."""
        rows = [
            {"measure": bar.number, "meter": bar.signature, "attribute": name, "unit": unit, "value": value}
            for bar, line in zip(self.melody.bars, self.values.tolist(), strict=True)
            for name, unit, value in zip(self.names, self.units, line, strict=True)
        ]
        return frame(rows)

    def __repr__(self) -> str:
        return f"<Inspection of {self.melody.name!r}: {len(self.melody.bars)} measures, {', '.join(self.names)}>"

    def _repr_html_(self) -> str:
        return picture(self.melody)


def frame(rows: list[dict[str, Any]]) -> pandas.DataFrame:
    """Make a pandas table of rows. Raises ExtraError if pandas is not installed."""
    need("pandas", "a table")
    import pandas

    return pandas.DataFrame(rows)


def edit_result(result: engine.EditResult, original: Melody, model: Model, song: Song | None = None) -> EditResult:
    """Add the units of the model's attributes to a result of the editing engine."""
    specs = [model.specs[model.metadata.names.index(name)] for name in result.names]
    sizes = np.array([[spec.unit.size(bar.meter) for spec in specs] for bar in result.bars])
    return EditResult(
        result.melody,
        result.names,
        result.bars,
        result.skipped,
        original=original,
        units=tuple(spec.unit.names[0] for spec in specs),
        sizes=sizes.reshape(len(result.bars), len(specs)),
        song=song,
    )


def vary_result(result: varying.VaryResult, original: Melody, model: Model, song: Song | None = None) -> VaryResult:
    """Add the units of the model's attributes to the variations of the editing engine."""
    variations = tuple(
        Variation(edit_result(variation.result, original, model, song), variation.amount)
        for variation in result.variations
    )
    return VaryResult(edit_result(result.base, original, model, song), variations, result.wanted)


def interpolation_result(
    path: interpolating.Interpolation, edits: Iterable[engine.EditResult], model: Model
) -> Interpolation:
    """Add units to an interpolation. `edits` has each melody of the path as an edit of the first."""
    results = tuple(edit_result(result, path.melodies[0], model) for result in edits)
    return Interpolation(path.melodies, path.ends, results)


def inspection(melody: Melody, specs: tuple[AttributeSpec, ...], song: Song | None = None) -> Inspection:
    """Measure the attributes of every measure, in their units."""
    values = np.full((len(melody.bars), len(specs)), np.nan)
    for meter, at, rows in melody.by_meter():
        values[at] = evaluate(specs, rows, meter) / np.array([spec.unit.size(meter) for spec in specs])
    names, units = tuple(spec.name for spec in specs), tuple(spec.unit.names[0] for spec in specs)
    return Inspection(melody, names, units, values, song)


def picture(melody: Melody) -> str:
    """A melody's piano roll as SVG."""
    from .reports.piano_roll import svg

    return svg(melody, melody, title=melody.name)


Melody.picture = picture  # notebooks show melodies with it
