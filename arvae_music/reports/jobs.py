"""The memory of a batch (batch/job.py) with what this package writes for it: the rows of a table, or a manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ..batch.job import Job, Rows, Settings
from ..batch.listing import Listing
from ..batch.target import Target
from ..system import storage
from .manifest import JSON_NAME, expect_ours, read, write
from .manifest_table import write_part


def job_of(
    target: Target, found: Listing, spec: Mapping[str, Any], settings: Settings, attributes: Sequence[str]
) -> Job:
    """The job on the inputs of a listing. The `attributes` are those of the model, which are columns of a table."""
    return Job.of(target, found, spec, settings, partial(write_part, attributes) if target.table else None)


def manifest_of(target: Target, tell: Callable[[str], None], *, overwrite: bool) -> Callable[[Rows], None] | None:
    """The function that writes the manifest of a batch into its folder, and tells its name; None for a table, whose
    rows are its manifest.

    Raises OutputError if the folder has a file of another program with the name of the manifest."""
    if target.table:
        return None
    expect_ours(target.root, overwrite=overwrite)

    def write_manifest(rows: Rows) -> None:
        write(target.root, rows, read(target.root))
        tell(f"{storage.within(target.root, JSON_NAME)} lists the files")

    return write_manifest
