"""Where the outputs of a batch go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..system import storage
from ..system.extras import need
from ..system.outputs import folder_of
from ..system.storage import Place, is_url

FAILED = "failed.txt"
TABLE = ".parquet"


@dataclass(frozen=True)
class Target:
    """Where the outputs of a batch go: the files of a folder, or the rows of a table (`name.parquet`)."""

    root: Place
    table: bool

    @classmethod
    def of(cls, output: str | None) -> Target | None:
        """None if `output` names neither a folder nor a table."""
        if output is None or output == "-":
            return None
        if output.rstrip("/").endswith(".parquet"):
            need("scale", "a table", "pyarrow")
            return cls(storage.place(output.rstrip("/")), True)
        folder = storage.place(output) if is_url(output) else folder_of(output)
        return None if folder is None else cls(folder, False)

    @property
    def is_remote(self) -> bool:
        """Whether workers may not see it as files, or return its bytes to the program."""
        return self.table or not isinstance(self.root, Path)

    @property
    def failed(self) -> Place:
        """The list of the inputs that failed, with the reasons."""
        return storage.within(self.root, f"_{FAILED}" if self.table else FAILED)


def expect_target(target: Target | None, needed: bool) -> None:
    """Raises UsageError if a batch needs a folder or a table and has none."""
    if needed and target is None:
        raise UsageError(
            "lists, tables, stores, resume and shares need a folder for the output",
            remedy="give output=... a folder/, a URL, or name.parquet for a table",
        )
