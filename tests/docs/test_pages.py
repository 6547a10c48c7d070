"""README.md and docs/: every command works, shows what the page shows, and has options that exist."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from pages import REPOSITORY, agrees, blocks, command_lines, pages, results

from arvae_music.cli.commands import COMMANDS
from arvae_music.cli.shared.lazy import load

PAGES = {str(page.relative_to(REPOSITORY)): page for page in pages()}
RUN = {name: page for name, page in PAGES.items() if any(b.runs for b in blocks(page.read_text("utf-8")))}


def _lines(*, runs: bool) -> list[tuple[str, list[str]]]:
    found = [(name, block) for name, page in PAGES.items() for block in blocks(page.read_text("utf-8"))]
    return [
        (f"{name}:{block.line}", words)
        for name, block in found
        if block.kind == "sh" and block.runs == runs
        for words in command_lines(block)
    ]


@pytest.mark.skipif(os.name == "nt", reason="the pages' commands are for bash")
@pytest.mark.parametrize("name", RUN)
def test_the_examples_of_a_page_run(name: str, tmp_path: Path, shared_cache: Path) -> None:
    for _, output, shown in results(PAGES[name].read_text("utf-8"), tmp_path, shared_cache):
        assert shown is None or agrees(shown.body, output), f"line {shown.line} of {name} shows other output:\n{output}"


def test_most_commands_run() -> None:
    assert len(_lines(runs=True)) > len(_lines(runs=False)) > 0


@pytest.mark.parametrize(("place", "words"), _lines(runs=False))
def test_what_does_not_run_names_commands_and_options_that_exist(place: str, words: list[str]) -> None:
    if words[0] == "python":
        assert (REPOSITORY / words[1]).is_file(), place
        text = (REPOSITORY / words[1]).read_text("utf-8")
        assert all(f'"{word}"' in text for word in words if word.startswith("--")), place
        return
    command, rest = _command(words[1:])
    assert command is not None, place
    command.make_context("arvae", list(rest))  # parses, and raises for an unknown option


def _command(words: list[str]) -> tuple[Any, list[str]]:
    command: Any = load(words[0], COMMANDS[words[0]])
    rest = words[1:]
    while hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def test_an_unknown_option_is_found() -> None:
    command, rest = _command(["train", "bach", "--no-such-option"])
    with pytest.raises(typer.TyperException):
        command.make_context("arvae", rest)


# ------------------------------------------------------------------------------------ the runner itself

PAGE = """
```sh
echo one; echo two   # a comment
```

```text
one
...
```

<!-- not run: it waits -->
```sh
arvae train bach \\
    --minutes 1 && arvae evaluate runs/bach
```

<!-- fails -->
```sh
false
```

Prose.

```text
not an output
```

```python
x = 1
```

```python
print(x + 1)
```
```text
2
```
"""


def test_blocks_run_in_order_and_keep_their_names(tmp_path: Path) -> None:
    found = list(results(PAGE, tmp_path, tmp_path))
    assert [(block.kind, output) for block, output, _ in found] == [
        ("sh", "one\ntwo\n"), ("sh", ""), ("python", ""), ("python", "2\n"),
    ]  # fmt: skip
    assert [shown.body if shown else None for _, _, shown in found] == ["one\n...\n", None, None, "2\n"]


@pytest.mark.parametrize("body", ["false", "false | cat", "false; true"])
def test_a_command_that_fails_is_found(body: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        list(results(f"```sh\n{body}\n```\n", tmp_path, tmp_path))


def test_a_command_that_should_fail_and_works_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        list(results("<!-- fails -->\n```sh\ntrue\n```\n", tmp_path, tmp_path))


def test_the_commands_of_a_block() -> None:
    [waits] = [block for block in blocks(PAGE) if block.mark.startswith("not run")]
    assert command_lines(waits) == [["arvae", "train", "bach", "--minutes", "1"], ["arvae", "evaluate", "runs/bach"]]


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        ("a\nb\n", "a  \nb\n", True),
        ("a\n...\nc\n", "a\nb\nb\nc\n", True),
        ("a\n...\n", "a\n", True),
        ("a\n", "a\nb\n", False),
        ("a\n...\nd\n", "a\nb\nc\n", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_agreement_with_an_output(shown: str, output: str, same: bool) -> None:
    assert agrees(shown, output) == same


def test_no_block_is_indented_or_of_another_kind() -> None:
    """Such blocks would not run."""
    for name, page in PAGES.items():
        fences = [line for line in page.read_text("utf-8").splitlines() if line.lstrip().startswith("```")]
        allowed = {"```", "```sh", "```python", "```text"}
        assert set(fences) <= allowed, name
        assert len(fences) == 2 * len(blocks(page.read_text("utf-8"))), name


def test_the_readme_links_to_files_and_headings_that_exist() -> None:
    """mkdocs checks the links of the other pages."""
    text = PAGES["README.md"].read_text("utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    headings = {line.strip("# ").lower().replace(" ", "-") for line in text.splitlines() if line.startswith("#")}
    assert links
    for link in links:
        assert link[1:] in headings if link.startswith("#") else (REPOSITORY / link).is_file(), link
