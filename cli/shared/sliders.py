"""The options about sliders: the targets of attributes, and the parts of a melody that must stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import typer

from ...errors import UsageError
from . import common, completion

PANEL = "Sliders"
LOCKS = "Never change these: onsets, pitches, key, range, first or last note (repeatable, or a,b)."
CHORDS = 'The chords: "C F G7 C", or "C | F G7 | %".  [default: the file\'s symbols, or what other tracks play]'

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=TARGET", help="Any attribute of the model (repeatable).",
        rich_help_panel=PANEL, autocompletion=completion.settable,
    ),
]  # fmt: skip
Bars = Annotated[
    list[str] | None,
    common.in_stays(metavar="1-4,7,12-", help="Only these measures (repeatable).  [default: all]"),
]
Lock = Annotated[list[str] | None, common.in_stays(metavar="NAME", help=LOCKS, autocompletion=completion.locks)]
Form = Annotated[bool, common.in_stays("--form/--no-form", help="Edit repeated measures in the same way.")]

Chords = Annotated[str | None, common.in_how(metavar="CHORDS", help=CHORDS)]
IgnoreHarmony = Annotated[bool, common.in_how("--ignore-harmony", help="Allow new notes that do not fit the chords.")]
Each = Annotated[bool, common.in_how("--each", help="Hold every measure to the request, not only the tune's mean.")]
FreeEnds = Annotated[bool, common.in_stays("--free-ends", help="Let the last notes of phrases change like others.")]

# The option of an attribute is `--name TARGET`, where its field has the attribute's name.
_of_measures = partial(typer.Option, metavar="TARGET", rich_help_panel=PANEL)
_of_digits = partial(typer.Option, metavar="TARGET", rich_help_panel="Sliders of digits")
_of_sprites = partial(typer.Option, metavar="TARGET", rich_help_panel="Sliders of sprites")


@dataclass(frozen=True)
class MelodySliders:
    """The attributes of measures that have an option of their own."""

    density: Annotated[str | None, _of_measures(help="Notes in a measure (unit: notes).")] = None
    rhythm: Annotated[str | None, _of_measures(help="Rhythmic complexity (unit: pt, percent of the maximum).")] = None
    range: Annotated[str | None, _of_measures(help="Highest minus lowest pitch (unit: st, semitones).")] = None
    contour: Annotated[str | None, _of_measures(help="Last minus first pitch (unit: st).")] = None
    syncopation: Annotated[str | None, _of_measures(help="Notes held over strong beats (unit: levels).")] = None
    pitch: Annotated[str | None, _of_measures(help="Mean pitch (unit: st).")] = None
    repetition: Annotated[str | None, _of_measures(help="Share of repeated notes (unit: pt, percent).")] = None
    steps: Annotated[str | None, _of_measures(help="Share of stepwise intervals (unit: pt, percent).")] = None


@dataclass(frozen=True)
class ImageSliders:
    """The attributes of images that have an option of their own."""

    area: Annotated[str | None, _of_digits(help="Pixels of the stroke (unit: px).")] = None
    length: Annotated[str | None, _of_digits(help="Length of the stroke (unit: px).")] = None
    thickness: Annotated[str | None, _of_digits(help="Thickness of the stroke (unit: px).")] = None
    slant: Annotated[str | None, _of_digits(help="Slant to the right (unit: deg).")] = None
    width: Annotated[str | None, _of_digits(help="Width (unit: px).")] = None
    height: Annotated[str | None, _of_digits(help="Height (unit: px).")] = None
    shape: Annotated[str | None, _of_sprites(help="Shape: =1raw is a square, =2raw an ellipse, =3raw a heart.")] = None
    scale: Annotated[str | None, _of_sprites(help="Size (unit: pt, percent).")] = None
    orientation: Annotated[str | None, _of_sprites(help="Angle (unit: deg).")] = None
    x: Annotated[str | None, _of_sprites(help="Distance from the left (unit: px).")] = None
    y: Annotated[str | None, _of_sprites(help="Distance from the top (unit: px).")] = None


@dataclass(frozen=True)
class Harmony:
    """The chords that new notes have to fit."""

    chords: Chords = None
    ignore_harmony: IgnoreHarmony = False

    @property
    def arguments(self) -> dict[str, Any]:
        """The same as arguments of `Model.request` and `Model.interpolate`."""
        return {"chords": self.chords, "harmony": not self.ignore_harmony}


@dataclass(frozen=True)
class Kept:
    """The parts of a melody that an edit must not change."""

    bars: Bars = None
    keep: common.Keep = None
    lock: Lock = None
    form: Form = True
    each: Each = False
    free_ends: FreeEnds = False

    @property
    def arguments(self) -> dict[str, Any]:
        """The same as arguments of `Model.request`."""
        names = common.split_names(self.keep)
        return {
            "bars": joined(self.bars),
            "keep": names,
            "lock": self.lock or [],
            "form": self.form,
            "each": self.each,
            "free_ends": self.free_ends,
        }


def targets_from(sliders: object, pairs: Sequence[str] | None) -> dict[str, str]:
    """The targets by attribute name, from the fields of `sliders` and from `pairs`, the NAME=TARGET texts of --set.

    Raises UsageError for a text that is not NAME=TARGET, and for a name that is given twice.
    """
    found = {name: target for name, target in vars(sliders).items() if target is not None}
    for pair in pairs or []:
        name, _, target = pair.partition("=")
        if not name or not target:
            raise UsageError(f"--set {pair!r} is not NAME=TARGET", remedy="write --set density=+2notes")
        if name in found:
            raise UsageError(f"{name} is given twice", remedy="leave out one of the two")
        found[name] = target
    return found


def joined(bars: Sequence[str] | None) -> str | None:
    """All values of a repeatable --bars as one text."""
    return ",".join(bars) if bars else None
