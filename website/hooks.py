"""Pages of the documentation site that are made from the code when `make docs` runs (mkdocs.yml names this file).

reference/command-line.md   from the commands themselves, as --help prints them
changelog.md                CHANGELOG.md
notebooks/NAME.md           from docs/notebooks/NAME.ipynb, with the outputs that the notebook holds
players/NAME/               pages that play an edit, variations and an interpolation of the demo's melody
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import arvae_music
from arvae_music.cli.commands import COMMANDS
from arvae_music.cli.main import main
from arvae_music.cli.shared.lazy import load
from arvae_music.errors import ArvaeError

REPOSITORY = Path(__file__).parent.parent
ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"
PLAYERS = {  # command lines in a folder with both files; each writes a page index.html
    "edit": "edit ode_to_joy.mid --density +2notes --bars 1-4 -o edit/denser.mid --listen edit/index.html",
    "variations": "vary ode_to_joy.mid -n 4 --amount 0.5 -o variations/",
    "grid": "vary ode_to_joy.mid --grid density=-1:1:3,contour=-1:1:3 -o grid/",
    "steps": "interpolate ode_to_joy.mid rising.mid --steps 6 -o steps/",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and the players, and leave out the notebooks that they are made from."""
    made: dict[str, str | bytes] = {
        "reference/command-line.md": command_line(),
        "changelog.md": (REPOSITORY / "CHANGELOG.md").read_text("utf-8"),
        **players(),
    }
    for place in sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb")):
        made[f"notebooks/{place.stem}.md"] = notebook_page(place)
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    return files


# ------------------------------------------------------------------------------------ command line


def command_line() -> str:
    """The reference of all commands, from typer's own records of their options."""
    parts = ["# Command line", "This page is made from the texts of `arvae COMMAND --help`."]
    for name, entry in COMMANDS.items():
        command = load(name, entry)
        parts += _command(command, f"arvae {name}", "##")
        for below, inner in getattr(command, "commands", {}).items():
            parts += _command(inner, f"arvae {name} {below}", "###")
    return "\n\n".join(parts) + "\n"


def _command(command: Any, name: str, heading: str) -> Iterator[str]:
    context = command.context_class(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield f"{heading} {name}"
    yield f"```text\n{usage}\n```"
    yield _escaped(re.sub(r"(?<!\n)\n(?!\n)", " ", command.help or ""))
    if getattr(command, "examples", ()):
        yield "```sh\n" + "\n".join(f"# {meaning}\n{line}" for line, meaning in command.examples) + "\n```"
    if hasattr(command, "commands"):
        return
    table = Tables()
    command.format_options(context, table)
    yield from table.parts


class Tables:
    """Takes the place of the formatter of a command's help, and makes Markdown tables of the sections."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.title = ""  # of the section

    @contextmanager
    def section(self, title: str) -> Iterator[None]:
        self.title = title
        yield

    def write_dl(self, records: list[tuple[str, str]]) -> None:
        rows = "\n".join(f"| `{_cell(name)}` | {_escaped(_cell(text))} |" for name, text in records)
        self.parts.append(f"| {self.title} | |\n|---|---|\n{rows}")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _escaped(text: str) -> str:
    return re.sub(r"([*_<\[])", r"\\\1", text)


# ------------------------------------------------------------------------------------ players


def players() -> dict[str, bytes]:
    """The files of each player, by their place in the site."""
    found: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ODE, folder / ODE.name)
        arvae_music.edit(ODE, contour="=5st").save(folder / "rising.mid")
        for player, line in PLAYERS.items():
            with chdir(folder):
                if main([*line.split(), "--quiet"]) != 0:
                    raise ArvaeError(f"arvae {line} failed, and the site has no player {player}")
            for place in sorted((folder / player).iterdir()):
                found[f"players/{player}/{place.name}"] = place.read_bytes()
    return found


@contextmanager
def chdir(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


# ------------------------------------------------------------------------------------ notebooks


def notebook_page(place: Path) -> str:
    """A notebook as a page: its texts, its code, and the outputs that are saved in it."""
    parts = []
    for cell in json.loads(place.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += filter(None, map(_output, cell["outputs"]))
    parts.insert(1, f"*This page is the notebook `docs/notebooks/{place.name}` of the source code.*")
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any]) -> str:
    """An output as HTML: a picture or a table if it has one, else its text."""
    data = output.get("data", {})
    for kind in ("image/svg+xml", "text/html"):
        if kind in data:
            return f'<div class="output">{_one_line("".join(data[kind]))}</div>'
    if "image/png" in data:
        picture = "".join(data["image/png"]).replace("\n", "")
        return f'<img alt="output of the cell above" src="data:image/png;base64,{picture}">'
    text = "".join(data.get("text/plain", output.get("text", "")))
    return f"<pre>{html.escape(text)}</pre>" if text else ""


def _one_line(markup: str) -> str:
    """Markdown ends a block of HTML at an empty line, so lines are joined."""
    return re.sub(r"\s*\n\s*", " ", markup)
