"""The examples of README.md and docs/, run as a reader types them.

A page's blocks run in their order, in one fresh folder that looks like the root of a clone:

    ```sh        commands for bash, each of which must work; after `<!-- fails -->`, the last one must fail
    ```python    statements; all blocks of a page share their names
    ```text      after one of these, its output; a line `...` stands for any number of lines

`<!-- not run: REASON -->` before a block keeps it from running, because it would take too long or needs what a test
does not have. The options of its arvae commands are still checked. After a change of the outputs, this writes them into
the pages:

    python tests/pages.py [PAGE ...]
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import arvae_music  # noqa: F401 - from here, and not from the folder of a page, which goes

REPOSITORY = Path(__file__).parent.parent
IN_A_CLONE = ("arvae_music", "benchmarks", "corpora", "scripts")  # folders that commands name
ANY = "..."
BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>fails|not run: [^>]+) -->\n)?```(?P<kind>sh|python|text)\n(?P<body>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    kind: str
    body: str
    mark: str
    line: int  # of its first line in the page, from 1
    span: tuple[int, int]  # of `body` in the page's text
    follows: bool  # only empty lines are between it and the block before

    @property
    def runs(self) -> bool:
        return self.kind != "text" and not self.mark.startswith("not run")


def pages() -> list[Path]:
    """Every page that a reader types from. docs/research/ has records, whose commands belong to an earlier state."""
    found = sorted(p for p in (REPOSITORY / "docs").rglob("*.md") if p.parent.name != "research")
    return [REPOSITORY / "README.md", *found]


def blocks(text: str) -> list[Block]:
    found, end = [], 0
    for match in BLOCK.finditer(text):
        body, before = match["body"], text[end : match.start()]
        line = text.count("\n", 0, match.start("body")) + 1
        found.append(Block(match["kind"], body, match["mark"] or "", line, match.span("body"), not before.strip()))
        end = match.end()
    return found


def command_lines(block: Block) -> list[list[str]]:
    """The words of each `arvae` and `python` command of a block, with lines that end in a backslash joined."""
    found: list[list[str]] = []
    for line in block.body.replace("\\\n", " ").splitlines():
        for words in _commands(shlex.split(line, comments=True)):
            if words and words[0] in ("arvae", "python"):
                found.append(words)
    return found


def _commands(words: list[str]) -> Iterator[list[str]]:
    """The commands of a line, which `&&`, `|` or `;` separate."""
    start = 0
    for at, word in enumerate([*words, ";"]):
        if word in ("&&", "|", ";", ">"):
            yield words[start:at]
            start = at + 1


# ------------------------------------------------------------------------------------ running


class Runner:
    """Runs the blocks of one page. `folder` is empty at first; corpora are built in `cache`."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.names = folder / "clone", dict[str, object]({"__name__": "__main__"})
        self.folder.mkdir()
        for name in IN_A_CLONE:
            (self.folder / name).symlink_to(REPOSITORY / name)
        programs = folder / "bin"
        programs.mkdir()
        for name, words in (("arvae", "-m arvae_music.cli"), ("python", "")):
            place = programs / name
            place.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words} "$@"\n', "utf-8")
            place.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ARVAE_")}
        self.environment = {**kept, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}
        self.environment |= {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_CACHE_HOME": str(cache)}

    def output(self, block: Block) -> str:
        """What the block prints. Raises AssertionError if it does not work, or works although it is marked."""
        return self._bash(block) if block.kind == "sh" else self._python(block)

    def _bash(self, block: Block) -> str:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", block.body],
            cwd=self.folder, env=self.environment, timeout=600, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert (done.returncode != 0) == (block.mark == "fails"), f"exit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def _python(self, block: Block) -> str:
        printed = io.StringIO()
        with _inside(self.folder), mock.patch.dict(os.environ, self.environment), redirect_stdout(printed):
            exec(compile(block.body, f"line {block.line} of the page", "exec"), self.names)
        return printed.getvalue()


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in `folder`, and import modules from it."""
    before = Path.cwd()
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        os.chdir(before)


def agrees(shown: str, output: str) -> bool:
    """Whether a page shows this output. Spaces at the end of lines do not count."""
    lines = [line.rstrip() for line in shown.strip("\n").splitlines()]
    pattern = "".join("(?:.*\n)*?" if line.strip() == ANY else re.escape(line) + "\n" for line in lines)
    text = "".join(line.rstrip() + "\n" for line in output.strip("\n").splitlines())
    return re.fullmatch(pattern, text) is not None


def results(text: str, folder: Path, cache: Path) -> Iterator[tuple[Block, str, Block | None]]:
    """Run a page. Yields each block that runs, its output, and the block that shows this output, if there is one."""
    found, runner = blocks(text), Runner(folder, cache)
    for at, block in enumerate(found):
        if block.runs:
            after = found[at + 1] if at + 1 < len(found) else None
            yield block, runner.output(block), after if after and after.kind == "text" and after.follows else None


def refreshed(text: str, cache: Path) -> str:
    """The page with today's outputs. One that is abridged (`...`) and no longer agrees is reported instead."""
    parts, end = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for _, output, shown in results(text, Path(folder), cache):
            if shown is None or agrees(shown.body, output):
                continue
            if any(line.strip() == ANY for line in shown.body.splitlines()):
                print(f"line {shown.line}: change this output by hand:\n{output}", file=sys.stderr)
                continue
            body = "".join(line.rstrip() + "\n" for line in output.strip("\n").splitlines())
            parts += [text[end : shown.span[0]], body]
            end = shown.span[1]
    return "".join([*parts, text[end:]])


def main(chosen: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as cache:
        for page in chosen or pages():
            old = page.read_text("utf-8")
            new = refreshed(old, Path(cache))
            if new != old:
                page.write_text(new, "utf-8")
                print(f"wrote {page}")


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
