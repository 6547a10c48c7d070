"""A manifest: what was made of what, how, and what came of it. JSON and CSV, a row a file.

    row = entry(file="a.01.mid", source="a.mid", ...)     plain data, ready for JSON
    to_json([row, ...], model), to_csv([row, ...])        bytes

An attribute stands in a row with its means before, asked and achieved over the measures that were asked, in its
unit, and whether each of them has exactly what was asked (to the note, to the semitone). In CSV that is
`density_before`, `density_asked`, ... What was not asked is null, or an empty cell: it was to stay.

`seed` and `n` with the model's digest make a file again.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..version import __version__

if TYPE_CHECKING:
    from ..editing.edit import EditResult
    from ..networks.model import Model

FORMAT = 1
JSON_NAME, CSV_NAME = "manifest.json", "manifest.csv"
COLUMNS = ("file", "input", "n", "seed", "model", "digest", "amount", "exact", "changed", "measures")
PARTS = ("unit", "before", "asked", "achieved", "hits")

Row = dict[str, Any]


def entry(
    *,
    file: str,
    source: str,
    n: int,
    seed: int,
    model: Model,
    result: EditResult,
    targets: Mapping[str, object],
    keep: Collection[str] = (),
    amount: float | None = None,
) -> Row:
    """A file's row. `file` is relative to the manifest; `amount` as in `vary`."""
    return {
        "file": file,
        "input": source,
        "n": n,
        "seed": seed,
        "model": model.name,
        "digest": model.checkpoint.digest,
        "amount": None if amount is None else round(amount, 6),
        "exact": all(bar.exact.all() for bar in result.bars),
        "changed": sum(bar.changed for bar in result.bars),
        "measures": len(result.bars),
        "targets": {name: str(target) for name, target in targets.items()},
        "attributes": attribute_rows(result, targets, keep, model),
    }


def attribute_rows(
    result: EditResult, targets: Collection[str], keep: Collection[str], model: Model
) -> list[dict[str, Any]]:
    """For each attribute, means over the selected measures, in its unit."""
    if not result.bars:
        return []
    rows = []
    for k, name in enumerate(result.names):
        spec = model.specs[model.metadata.names.index(name)]
        sizes = np.array([spec.unit.size(bar.meter) for bar in result.bars])
        means = {
            which: _mean([getattr(bar, which)[k] for bar in result.bars], sizes)
            for which in ("before", "asked", "wanted", "achieved")
        }
        asked = means["asked"] if name in targets else means["wanted"] if name in keep else None
        rows.append(
            {
                "name": name,
                "unit": spec.unit.names[0],
                "before": means["before"],
                "asked": asked,
                "achieved": means["achieved"],
                "measures": len(result.bars),
                "hits": int(sum(bar.exact[k] for bar in result.bars)),
            }
        )
    return rows


def _mean(values: Sequence[float], sizes: Any) -> float:
    """In units; no -9.9e-17 for a nought."""
    return round(float(np.mean(np.array(values) / sizes)), 9) + 0.0


def to_json(rows: Sequence[Row]) -> bytes:
    body = {"format": FORMAT, "arvae": __version__, "files": list(rows)}
    return (json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def to_csv(rows: Sequence[Row]) -> bytes:
    names = list(dict.fromkeys(a["name"] for row in rows for a in row["attributes"]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"{name}_{part}" for name in names for part in PARTS)])
    for row in rows:
        by_name = {a["name"]: a for a in row["attributes"]}
        cells = [by_name.get(name, {}).get(part) for name in names for part in PARTS]
        writer.writerow([*(row[column] for column in COLUMNS), *cells])
    return text.getvalue().encode()


def from_json(data: bytes) -> list[Row]:
    """The rows of an earlier manifest; none where it is not one of ours."""
    try:
        body = json.loads(data)
    except ValueError:
        return []
    if not isinstance(body, dict) or body.get("format") != FORMAT or not isinstance(body.get("files"), list):
        return []
    return [row for row in body["files"] if isinstance(row, dict) and {*COLUMNS, "attributes"} <= set(row)]
