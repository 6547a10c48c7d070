"""Who may import whom, from the syntax trees, and what an import costs, in real processes.

cli -> corpora -> arvae_music, never back
the core (examples, losses, model, training, checkpoint, metrics) knows nothing of music
torch is loaded where something is trained, and heavy libraries where they are used
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.util import resolve_name
from pathlib import Path

import pytest
from conftest import REPOSITORY, Run

from arvae_music.cli.main import COMMANDS

FOLDERS = {
    "arvae_music": "arvae_music", "arvae_music.images": "arvae_music/images",
    "arvae_music.objectives": "arvae_music/objectives", "arvae_music.corpora": "corpora", "arvae_music.cli": "cli",
}  # fmt: skip
OBJECTIVES = [f"objectives.{path.stem}" for path in (REPOSITORY / "arvae_music/objectives").glob("[!_]*.py")]
SINGLE = (
    "examples", "losses", "normal", "combinations", "flow", "model", "training", "checkpoint", "scales", "carried",
    "metrics", "objectives",
)  # fmt: skip
CORE = (*SINGLE, *OBJECTIVES)
FOUNDATIONS = {"errors", "files", "settings", "gru", *CORE}  # what the core may use
EXCEPTIONS = {("checkpoint", "tokens")}  # loading compares the vocabulary that a model was trained with
HEAVY = ("torch", "matplotlib", "music21", "pretty_midi", "symusic", "scipy", "sklearn", "pyarrow")

# Importable without torch: all that a user who doesn't train ever loads.
TORCH_FREE = (
    "measure", "tokens", "attributes", "melody", "grid", "midi", "scores", "files", "settings", "rolls",
    "checkpoint", "runtime", "edit", "examples", "objectives", "corpora", "corpora.registry", "cli.main", "cli.common",
)  # fmt: skip


def modules() -> dict[str, Path]:
    """Every module of the package by its installed name."""
    found: dict[str, Path] = {}
    for package, folder in FOLDERS.items():
        for path in sorted((REPOSITORY / folder).glob("*.py")):
            found[package if path.stem == "__init__" else f"{package}.{path.stem}"] = path
    return found


def imports_of(name: str, path: Path) -> set[str]:
    """The modules of arvae that one imports anywhere in its text, by their absolute names."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            found |= {f"{base}.{alias.name}" for alias in node.names} | {str(base)}
    return found & (set(modules()) | set(FOLDERS)) - {"arvae_music"}


GRAPH = {name: imports_of(name, path) for name, path in modules().items()}


def layer(name: str) -> int:
    """0 the library, 1 corpora, 2 the command line."""
    return {"corpora": 1, "cli": 2}.get(([*name.split("."), ""])[1], 0)


def test_the_graph_is_seen() -> None:
    """The other tests would pass on an empty one."""
    assert len(GRAPH) > 20
    assert "arvae_music.measure" in GRAPH["arvae_music.tokens"]
    assert "arvae_music.cli.common" in GRAPH["arvae_music.cli.config"]
    assert "arvae_music.settings" in GRAPH["arvae_music.cli.config"]


def test_imports_go_one_way() -> None:
    back = [(a, b) for a, uses in GRAPH.items() for b in uses if layer(b) > layer(a)]
    assert not back


def test_no_cycles() -> None:
    remaining = {name: uses - {name} for name, uses in GRAPH.items()}
    while free := [name for name, uses in remaining.items() if not uses & set(remaining)]:
        for name in free:
            del remaining[name]
    assert not remaining


def test_the_core_knows_no_music() -> None:
    uses = {
        (name, used.removeprefix("arvae_music.")) for name in CORE for used in GRAPH.get(f"arvae_music.{name}", set())
    }
    assert {pair for pair in uses if pair[1] not in FOUNDATIONS} <= EXCEPTIONS


def test_nothing_imports_the_folders_by_their_top_level_names() -> None:
    """`import cli` works from the repository root only, and would be another module than arvae_music.cli."""
    for path in [*modules().values(), *(REPOSITORY / "tests").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & {"cli", "corpora"}, path


def loaded(code: str, home: dict[str, str]) -> dict[str, list[str]]:
    """What `code` puts into its dictionary `seen`, run in a fresh interpreter."""
    program = f"import sys, json\nseen = {{}}\n{code}\nprint(json.dumps(seen))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=home, check=True, timeout=120
    )
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


def test_no_torch_without_training(home: dict[str, str]) -> None:
    names = [f"arvae_music.{name}" for name in TORCH_FREE if f"arvae_music.{name}" in GRAPH]
    code = (
        "import importlib\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "    seen[name] = [m for m in ('torch', 'music21', 'matplotlib') if m in sys.modules]"
    )
    assert {name: heavy for name, heavy in loaded(code, home).items() if heavy} == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_loads_no_heavy_library_before_it_runs(command: str, home: dict[str, str]) -> None:
    module = COMMANDS[command].target.partition(":")[0]
    code = (
        f"import importlib; importlib.import_module('arvae_music.cli{module}')\n"
        f"seen['heavy'] = [m for m in {HEAVY!r} if m in sys.modules]"
    )
    assert loaded(code, home)["heavy"] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_needs_nothing_slow(command: str, home: dict[str, str]) -> None:
    code = (
        "import contextlib, io\nfrom arvae_music.cli.main import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()): main([{command!r}, '--help'])\n"
        f"seen['heavy'] = [m for m in {(*HEAVY, 'numpy', 'rich', 'pydantic')!r} if m in sys.modules]"
    )
    assert loaded(code, home)["heavy"] == []


def test_help_and_version_load_neither_typer_nor_numpy(home: dict[str, str]) -> None:
    for word in ("--help", "--version"):
        code = (
            "import contextlib, io\nfrom arvae_music.cli.main import main\n"
            f"with contextlib.redirect_stdout(io.StringIO()): main([{word!r}])\n"
            f"seen['heavy'] = [m for m in {(*HEAVY, 'numpy', 'typer', 'rich', 'mido')!r} if m in sys.modules]"
        )
        assert loaded(code, home)["heavy"] == []


# What a command needs of the libraries that take long to import, as it runs and comes to its end.
USES: dict[tuple[str, ...], set[str]] = {
    ("edit", "melody.mid", "--density", "+1", "--roll"): set(),
    ("edit", "melody.mid", "--density", "+1", "--runtime", "torch", "--dry-run"): {"torch"},
    ("edit", "tune.abc", "--density", "+1"): {"music21"},
    ("vary", "melody.mid", "-n", "2"): set(),
    ("interpolate", "melody.mid", "melody.mid"): set(),
    ("inspect", "melody.mid"): set(),
    ("inspect", "melody.mid", "--json"): set(),
    ("models", "list"): set(),
    ("config", "show"): set(),
    ("demo",): {"matplotlib", "pydantic"},  # its -o is a Path
    ("corpus", "list"): {"pyarrow"},
    ("corpus", "build", "tunes", "-j", "1"): {"pyarrow", "symusic"},
}


@pytest.mark.parametrize("words", USES, ids=" ".join)
def test_a_command_loads_only_what_it_uses(words: tuple[str, ...], home: dict[str, str], melody: Path) -> None:
    (melody.parent / "tunes").mkdir()
    (melody.parent / "tunes" / "tune.mid").write_bytes(melody.read_bytes())
    (melody.parent / "tune.abc").write_text("X:1\nT:x\nM:4/4\nL:1/4\nK:G\nGABc|d2 d2|\n", "utf-8")
    code = (
        "import contextlib, io, os\nfrom arvae_music.cli.main import main\n"
        f"os.chdir({str(melody.parent)!r})\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as told:\n"
        f"    seen['code'] = [str(main({list(words)!r})), told.getvalue()]\n"
        f"seen['heavy'] = [m for m in {(*HEAVY, 'pydantic')!r} if m in sys.modules]"
    )
    seen = loaded(code, home)
    assert seen["code"][0] == "0", seen["code"][1]
    assert set(seen["heavy"]) == USES[words]


def test_every_command_in_the_table_exists_and_has_help(run_arvae: Run) -> None:
    for command in COMMANDS:
        done = run_arvae(command, "--help")
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout.startswith(f"Usage: arvae {command}")


def test_an_edit_of_a_melody_loads_nothing_for_pictures_or_training(home: dict[str, str], melody: Path) -> None:
    out = melody.with_name("out.mid")
    code = (
        "import contextlib, io\nfrom arvae_music.cli.main import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    assert main(['edit', {str(melody)!r}, '--density', '+1', '-o', {str(out)!r}]) == 0\n"
        "seen['heavy'] = [m for m in ('torch', 'PIL', 'scipy', 'sklearn', 'skimage', 'arvae_music.images')\n"
        "                 if m in sys.modules]"
    )
    assert loaded(code, home)["heavy"] == []
    assert out.exists()
