"""A batch whose outputs are the rows of a Parquet table: a folder with a file for each part of the inputs.

    out.parquet/part-00012.parquet

A row has the columns of manifest.csv (reports/manifest.py), and

    number   the number of its input, from 1
    data     the bytes of the output; the column `file` has the name that it would have in a folder
    targets  the requests, as JSON

Readers of data sets ignore files whose names begin with `_` or `.`. A part is written whole, and its bytes follow from
the inputs and the request alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..batch.journal import Line
from ..system import storage
from ..system.storage import Place
from .manifest import COLUMNS, PARTS


def write_part(attributes: Sequence[str], place: Place, lines: Iterable[Line]) -> None:
    """Write the outputs of a part to the file `place`. The attributes are those of the model. Raises OutputError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {field.name: [] for field in _schema(attributes)}
    for line in lines:
        for row, content in zip(line.rows, line.contents, strict=True):
            values = _flat(row, attributes) | {"number": line.n, "data": content}
            for name, column in columns.items():
                column.append(values[name])
    stream = io.BytesIO()
    pq.write_table(pa.table(columns, schema=_schema(attributes)), stream, compression="zstd")
    storage.write(place, stream.getvalue(), overwrite=True)


def _flat(row: dict[str, Any], attributes: Sequence[str]) -> dict[str, Any]:
    values = {name: row[name] for name in COLUMNS} | {"targets": json.dumps(row["targets"], ensure_ascii=False)}
    measured = {attribute["name"]: attribute for attribute in row["attributes"]}
    return values | {
        f"{name}_{part}": measured.get(name, {}).get(part) for name in attributes for part in PARTS
    }


def _schema(attributes: Sequence[str]) -> Any:
    import pyarrow as pa

    kinds = {"n": pa.int32(), "seed": pa.int64(), "amount": pa.float64(), "exact": pa.bool_()}
    kinds |= {"changed": pa.int32(), "measures": pa.int32()}
    parts = {"unit": pa.string(), "hits": pa.int32()}
    fields = [("number", pa.int64()), *((name, kinds.get(name, pa.string())) for name in COLUMNS)]
    fields += [("data", pa.binary()), ("targets", pa.string())]
    fields += [(f"{name}_{part}", parts.get(part, pa.float64())) for name in attributes for part in PARTS]
    return pa.schema(fields)
