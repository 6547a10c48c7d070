"""An extension of griffe, which reads docstrings for the documentation site: aligned lists become Markdown lists.

arvae's docstrings describe parameters in two columns, a name and its meaning. Markdown would join such lines into one
paragraph.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

# A name, or several with commas, and at least two spaces before the meaning; further lines are indented.
ENTRY = re.compile(r"^(\w[\w.]*(?:, (?:\w+|\.\.\.))*)  +(\S.*(?:\n {2,}\S.*)*)$", re.MULTILINE)


def with_lists(text: str) -> str:
    """`text` with its two-column lists as Markdown lists."""
    return ENTRY.sub(lambda found: f"- **{found[1]}**: " + " ".join(found[2].split()), text)


class ParameterLists(griffe.Extension):
    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = with_lists(obj.docstring.value)
