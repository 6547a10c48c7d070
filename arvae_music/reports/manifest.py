"""A manifest lists the files that a command made: source, settings and result. JSON and CSV, one row for each file.

    row = entry(file="a.01.mid", source="a.mid", ...)     plain data, ready for JSON
    write(folder, lambda: [row, ...], earlier)            both files, with the rows of an earlier run
    earlier = read(folder)                                its rows, by file

A row has for each attribute the means before, asked (requested) and achieved over the selected measures, in its unit,
and in how many of these it is exact (to the note, to the semitone). In CSV these are `density_before`,
`density_asked`, ... An attribute without a request has null, or an empty cell.

`seed` and `n` with the model's digest make a file again.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OutputError
from ..system import storage
from ..system.outputs import name_in
from ..system.storage import Place, appearing_at, exists, within
from ..version import __version__

if TYPE_CHECKING:
    from ..editing.edit import EditResult
    from ..editing.request import EditRequest
    from ..networks.model import Model
    from ..system.outputs import Planned

FORMAT = 1
JSON_NAME, CSV_NAME = "manifest.json", "manifest.csv"
COLUMNS = ("file", "input", "n", "seed", "model", "digest", "amount", "exact", "changed", "measures")
PARTS = ("unit", "before", "asked", "achieved", "hits")

Row = dict[str, Any]
Rows = Callable[[], Iterable[Row]]  # begins to list the rows


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
    """The row of a file. `file` is relative to the manifest; `amount` is the share of notes replaced by `vary`."""
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


def entry_of_edit(
    plan: Planned,
    folder: Place | None,
    request: EditRequest,
    result: EditResult,
    model: Model,
    amount: float | None = None,
) -> Row:
    """The row of a planned output in the manifest of `folder`, which holds it; None stands for the output's own."""
    own = PurePosixPath("stdout" if plan.place == "-" else plan.place).name
    file = own if folder is None else name_in(folder, plan)
    return entry(
        file=file, source=str(plan.request.source), n=plan.request.n,
        seed=request.seed, model=model, result=result, targets=request.targets, keep=request.keep, amount=amount,
    )  # fmt: skip


def summary(row: Row) -> str:
    """A row in one line: the requested attributes, and how many measures changed."""
    moved = [
        f"{one['name']} {one['before']:.3g} to {one['achieved']:.3g} {one['unit']}"
        for one in row["attributes"]
        if one["name"] in row["targets"]
    ]
    return f"{', '.join(moved)}; {row['changed']} of {row['measures']} measures changed"


def attribute_rows(
    result: EditResult, targets: Collection[str], keep: Collection[str], model: Model
) -> list[dict[str, Any]]:
    """The means of each attribute over the selected measures, in its unit."""
    if not result.bars:
        return []
    rows = []
    for k, name in enumerate(result.names):
        spec = model.specs[model.metadata.names.index(name)]
        sizes = np.array([spec.unit.size(bar.meter) for bar in result.bars])
        means = {
            which: result.mean(which, k, sizes)
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


def json_parts(rows: Iterable[Row]) -> Iterator[str]:
    """The text of manifest.json, a row at a time."""
    body = json.dumps({"format": FORMAT, "arvae": __version__}, indent=1)
    yield body.removesuffix("\n}") + ',\n "files": ['
    between = "\n  "
    for row in rows:
        yield between + json.dumps(row, indent=1, ensure_ascii=False, allow_nan=False).replace("\n", "\n  ")
        between = ",\n  "
    yield "]\n}\n" if between == "\n  " else "\n ]\n}\n"


def csv_parts(rows: Rows) -> Iterator[str]:
    """The text of manifest.csv, a row at a time."""
    names = list(dict.fromkeys(a["name"] for row in rows() for a in row["attributes"]))
    yield _csv_line([*COLUMNS, *(f"{name}_{part}" for name in names for part in PARTS)])
    for row in rows():
        by_name = {a["name"]: a for a in row["attributes"]}
        cells = [by_name.get(name, {}).get(part) for name in names for part in PARTS]
        yield _csv_line([*(row[column] for column in COLUMNS), *cells])


def _csv_line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def from_json(data: bytes) -> list[Row]:
    """The rows of a manifest. Data that are not a manifest of arvae have no rows."""
    try:
        body = json.loads(data)
    except ValueError:
        return []
    if not isinstance(body, dict) or body.get("format") != FORMAT or not isinstance(body.get("files"), list):
        return []
    return [row for row in body["files"] if isinstance(row, dict) and {*COLUMNS, "attributes"} <= set(row)]


def read(folder: Place) -> dict[str, Row]:
    """The rows of the manifest in a folder, by file; empty if there is no manifest."""
    place = within(folder, JSON_NAME)
    return {str(row["file"]): row for row in from_json(storage.read(place))} if exists(place) else {}


def expect_ours(folder: Place, *, overwrite: bool) -> None:
    """Raises OutputError if a file with the manifest's name is not a manifest of arvae, unless `overwrite` is given."""
    path = within(folder, JSON_NAME)
    if exists(path) and not overwrite and not read(folder):
        raise OutputError(
            "exists already, and is not a manifest of arvae",
            where=str(path),
            remedy="give overwrite=True, or another folder with output=...",
        )


def write(folder: Place, rows: Rows, earlier: Mapping[str, Row]) -> int:
    """Write manifest.json and manifest.csv with the rows, and with the earlier rows of files that still exist and were
    not made again. Returns the number of these earlier rows."""
    again = {str(row["file"]): row for row in rows() if row["file"] in earlier}
    kept = {name: row for name, row in earlier.items() if name in again or exists(within(folder, name))}

    def merged() -> Iterator[Row]:
        yield from (again.get(name, row) for name, row in kept.items())
        yield from (row for row in rows() if row["file"] not in kept)

    for name, parts in ((JSON_NAME, json_parts(merged())), (CSV_NAME, csv_parts(merged))):
        with appearing_at(within(folder, name), overwrite=True) as temporary, temporary.open("wb") as file:
            file.writelines(part.encode() for part in parts)
    return len(kept) - len(again)
