"""The notebooks of docs/notebooks/. This runs them and saves their outputs, which the documentation site shows:

    python tests/notebooks.py

The corpora that they build are not kept, and the files that they write go into a temporary folder.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
PLACES = sorted(FOLDER.glob("*.ipynb"))


def run(place: Path, folder: Path, cache: Path) -> Any:
    """The notebook with its outputs, run in `folder`. Corpora are built in `cache`.

    Raises CellExecutionError if a cell fails.
    """
    notebook = nbformat.read(place, as_version=4)
    with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(cache), "OPENBLAS_NUM_THREADS": "1"}):
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # the times of the run
    return notebook


if __name__ == "__main__":
    for each in PLACES:
        with tempfile.TemporaryDirectory() as work:
            nbformat.write(run(each, Path(work), Path(work)), each)
        print(f"wrote {each}")
