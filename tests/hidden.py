"""Python processes in which libraries are not installed."""

from __future__ import annotations

import os
from pathlib import Path

from arvae_music.system.extras import EXTRAS

OPTIONAL = tuple(sorted({library.top for extra in EXTRAS.values() for library in extra.libraries}))

HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def without(folder: Path, *modules: str) -> dict[str, str]:
    """The environment of a Python process in which these modules are not installed."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDE.format(hidden=modules), "utf-8")
    return {"PYTHONPATH": os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))}
