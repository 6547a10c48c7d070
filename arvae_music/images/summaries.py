"""What an edit of an image, an interpolation and a traversal did, as data for JSON and as lines of text."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays import Bytes
from ..music.sliders import Target
from ..vae.statistics import spearman
from .edit import ImageResult, Mode, Traversal, unit_of
from .model import ImageModel

Row = dict[str, Any]
DIGITS = 9  # decimals that are kept; further ones are rounding errors


def attribute_rows(result: ImageResult, model: ImageModel) -> list[Row]:
    """One row per attribute of the model, its values in the attribute's unit; `asked` is None without a request."""
    found = []
    for k, spec in enumerate(model.specs):
        size = unit_of(spec)
        requested, goal = float(result.asked[k]), float(result.wanted[k])
        free = math.isnan(requested)
        found.append(
            {
                "name": spec.name,
                "unit": spec.unit.names[0],
                "before": _rounded(float(result.before[k]) / size),
                "asked": None if free else _rounded(requested / size),
                "achieved": _rounded(float(result.achieved[k]) / size),
                "clamped": not free and abs(requested - goal) > 1e-9,
                "met": bool(result.met[k]),
            }
        )
    return found


def _rounded(value: float) -> float:
    return round(value, DIGITS) + 0.0  # + 0.0 turns -0.0 into 0.0


def edit_json(
    result: ImageResult, model: ImageModel, targets: Mapping[str, Target], keep: Collection[str], mode: Mode, seed: int
) -> Row:
    """An edit with its request and its result, as plain data for JSON."""
    return {
        "targets": {name: str(target) for name, target in targets.items()},
        "keep": list(keep),
        "mode": mode,
        "seed": seed,
        "model": {"name": model.name, "digest": model.checkpoint.digest},
        "changed": result.changed,
        "attributes": attribute_rows(result, model),
    }


def edit_lines(result: ImageResult, model: ImageModel, seed: int) -> list[str]:
    """The report of an edit: a table of the attributes, those with a request first, and the model."""
    rows = attribute_rows(result, model)
    lines = [f"{'':11} {'before':>9} {'requested':>9} {'achieved':>9}"]
    for row in sorted(rows, key=lambda row: row["asked"] is None):
        free = row["asked"] is None
        requested = "" if free else f"{row['asked']:.4g}"
        verdict = "" if free else "met" if row["met"] else "nearest value found"
        numbers = f"{row['before']:9.4g} {requested:>9} {row['achieved']:9.4g}"
        lines.append(f"{row['name']:11} {numbers}  {row['unit']:4} {verdict}".rstrip())
    if any(row["clamped"] for row in rows):
        lines.append("a request lies outside the range of the corpus and was clamped to it")
    return [*lines, f"{'' if result.changed else 'not changed; '}model {model.name}; seed {seed}"]


def interpolation_json(pictures: Sequence[Bytes], model: ImageModel) -> Row:
    """The number of pictures, and for each attribute its value on each of them."""
    values = model.measure(np.stack(pictures))
    measured = dict(zip(model.metadata.names, values.T, strict=True))
    return {"steps": len(pictures), "model": model.name, "attributes": measured}


def traversal_json(found: Sequence[Traversal], model: ImageModel) -> Row:
    """For each attribute the values requested and the values measured on the pictures."""
    rows = [{"name": one.name, "requested": one.requested, "realised": one.realised} for one in found]
    return {"model": model.name, "traversals": rows}


def traversal_lines(found: Sequence[Traversal], model: ImageModel) -> list[str]:
    """A table: for each attribute the first and the last value requested and drawn, and their rank correlation."""
    lines = [f"{'':11} {'requested':>10} {'to':>8} {'drawn':>11} {'to':>8}  {'':4} rank correlation"]
    for one, spec in zip(found, model.specs, strict=True):
        size = unit_of(spec)
        requested = f"{one.requested[0] / size:10.4g} {one.requested[-1] / size:8.4g}"
        drawn = f"{one.realised[0] / size:11.4g} {one.realised[-1] / size:8.4g}"
        correlation = spearman(one.requested, one.realised)
        lines.append(f"{one.name:11} {requested} {drawn}  {spec.unit.names[0]:4} {correlation:.3f}")
    return lines
