"""Who may import whom, from the syntax trees, and what an import costs, in real processes.

The wings of the house stand in the order of WINGS, and each imports only what stands above it. `vae` and `system` know
no music. PyTorch is loaded where something is trained, and heavy libraries where they are used.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest
from conftest import REPOSITORY, Run

from arvae_music.cli.main import COMMANDS

ROOTS = {"arvae_music": "arvae_music", "arvae_music.corpora": "corpora", "arvae_music.cli": "cli"}
# From the foundations up; "" is `import arvae_music` itself.
WINGS = (
    "errors", "arrays", "version", "system", "music", "io", "vae", "networks", "editing", "evaluation", "batch",
    "reports",
    "images", "training", "corpora", "latents", "results", "library", "diagnosis", "melodies", "assessment", "research",
    "studio", "", "cli",
)  # fmt: skip
WITHOUT_MUSIC = ("vae", "system")
MOST_LEVELS = 12  # of imports that run when a module is imported
LONGEST = 400  # lines of a file
LONGER: dict[str, str] = {}  # file: why it is longer

HEAVY = (
    "torch", "matplotlib", "music21", "pretty_midi", "symusic", "scipy", "sklearn", "pyarrow", "starlette", "uvicorn",
)  # fmt: skip

# Importable without torch: all that a user who doesn't train ever loads.
TORCH_FREE = (
    "music.meter", "music.tokens", "music.attributes", "music.melody", "io.quantise", "io.midi", "io.scores",
    "system.files", "system.settings", "reports.piano_roll", "vae.checkpoint", "networks.numpy_runtime",
    "networks.model", "editing.edit", "vae.examples", "training.objectives", "corpora", "corpora.registry", "cli.main",
    "cli.shared.common", "library", "research", "training.recipe", "training.run_folder", "training.session",
)  # fmt: skip


def modules() -> dict[str, Path]:
    """Every module of the package by its installed name."""
    found: dict[str, Path] = {}
    for package, folder in ROOTS.items():
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            parts = path.relative_to(REPOSITORY / folder).with_suffix("").parts
            found[".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts)))] = path
    return found


MODULES = modules()


def statements(tree: ast.Module, when_imported: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """All imports, or only those that run when the module is imported: not in functions, not for types alone."""
    for node in tree.body if when_imported else ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def imports_of(name: str, when_imported: bool = False) -> set[str]:
    """The modules of arvae that one imports, by their absolute names."""
    path = MODULES[name]
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in statements(ast.parse(path.read_text("utf-8")), when_imported):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
            continue
        base = str(resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module)
        for alias in node.names:
            found.add(f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base)
    return (found & set(MODULES)) - {"arvae_music", name}


GRAPH = {name: imports_of(name) for name in MODULES}


def wing(name: str) -> str:
    return ([*name.split("."), ""])[1]


def test_the_graph_is_seen() -> None:
    """The other tests would pass on an empty one."""
    assert len(GRAPH) > 100
    assert "arvae_music.music.meter" in GRAPH["arvae_music.music.tokens"]
    assert "arvae_music.cli.shared.common" in GRAPH["arvae_music.cli.config"]
    assert "arvae_music.system.settings" in GRAPH["arvae_music.cli.config"]
    assert {wing(name) for name in GRAPH} == set(WINGS)


def test_a_wing_imports_only_what_stands_above_it() -> None:
    back = [(a, b) for a, uses in GRAPH.items() for b in uses if WINGS.index(wing(b)) > WINGS.index(wing(a))]
    assert not back


def test_the_core_knows_no_music() -> None:
    uses = [(a, b) for a in GRAPH if wing(a) in WITHOUT_MUSIC for b in GRAPH[a] if wing(b) in ("music", "io")]
    assert not uses


def test_no_cycles() -> None:
    remaining = {name: uses - {name} for name, uses in GRAPH.items()}
    while free := [name for name, uses in remaining.items() if not uses & set(remaining)]:
        for name in free:
            del remaining[name]
    assert not remaining


def test_imports_are_not_deep() -> None:
    """A chain of imports is what a newcomer has to follow to the end."""
    graph = {name: imports_of(name, when_imported=True) for name in MODULES}
    levels: dict[str, int] = {}

    def level(name: str) -> int:
        if name not in levels:
            levels[name] = 1 + max((level(used) for used in graph[name]), default=0)
        return levels[name]

    deepest = max(graph, key=level)
    assert level(deepest) <= MOST_LEVELS, deepest


def test_files_are_short() -> None:
    long = {
        path.relative_to(REPOSITORY).as_posix(): count
        for path in MODULES.values()
        if (count := len(path.read_text("utf-8").splitlines())) > LONGEST
    }
    assert set(long) == set(LONGER)


def test_nothing_imports_the_folders_by_their_top_level_names() -> None:
    """`import cli` works from the repository root only, and would be another module than arvae_music.cli."""
    for path in [*MODULES.values(), *(REPOSITORY / "tests").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & {"cli", "corpora"}, path


def test_benchmarks_and_scripts_do_not_import_the_command_line() -> None:
    """What they need is the library's: a Python user has no other way either."""
    paths = [path for folder in ("benchmarks", "scripts") for path in sorted((REPOSITORY / folder).glob("*.py"))]
    assert len(paths) > 5
    for path in paths:
        for node in statements(ast.parse(path.read_text("utf-8")), when_imported=False):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [str(node.module), *(f"{node.module}.{name}" for name in names)]
            assert not [name for name in names if name.startswith("arvae_music.cli")], path


def loaded(code: str, home: dict[str, str]) -> dict[str, list[str]]:
    """What `code` puts into its dictionary `seen`, run in a fresh interpreter."""
    program = f"import sys, json\nseen = {{}}\n{code}\nprint(json.dumps(seen))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=home, check=True, timeout=120
    )
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


@pytest.mark.process
def test_no_torch_without_training(home: dict[str, str]) -> None:
    names = [f"arvae_music.{name}" for name in TORCH_FREE if f"arvae_music.{name}" in GRAPH]
    code = (
        "import importlib\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "    seen[name] = [m for m in ('torch', 'music21', 'matplotlib') if m in sys.modules]"
    )
    assert {name: heavy for name, heavy in loaded(code, home).items() if heavy} == {}


@pytest.mark.process
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_loads_no_heavy_library_before_it_runs(command: str, home: dict[str, str]) -> None:
    module = COMMANDS[command].target.partition(":")[0]
    code = (
        f"import importlib; importlib.import_module('arvae_music.cli{module}')\n"
        f"seen['heavy'] = [m for m in {HEAVY!r} if m in sys.modules]"
    )
    assert loaded(code, home)["heavy"] == []


@pytest.mark.process
@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_needs_nothing_slow(command: str, home: dict[str, str]) -> None:
    code = (
        "import contextlib, io\nfrom arvae_music.cli.main import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()): main([{command!r}, '--help'])\n"
        f"seen['heavy'] = [m for m in {(*HEAVY, 'numpy', 'rich', 'pydantic')!r} if m in sys.modules]"
    )
    assert loaded(code, home)["heavy"] == []


@pytest.mark.process
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
    ("edit", "tune.abc", "--density", "+1"): set(),
    ("vary", "melody.mid", "-n", "2"): set(),
    ("interpolate", "melody.mid", "melody.mid"): set(),
    ("inspect", "melody.mid"): set(),
    ("inspect", "melody.mid", "--json"): set(),
    ("models", "list"): set(),
    ("config", "show"): set(),
    ("demo",): {"pydantic"},  # its -o is a Path
    ("corpus", "list"): set(),
    ("corpus", "build", "tunes", "-j", "1"): {"pyarrow"},
}


@pytest.mark.process
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


@pytest.mark.process
def test_every_command_in_the_table_exists_and_has_help(run_arvae: Run) -> None:
    for command in COMMANDS:
        done = run_arvae(command, "--help", fresh=True)  # which loads only what the command imports
        assert (done.returncode, done.stderr) == (0, ""), command
        assert done.stdout.startswith(f"Usage: arvae {command}")


@pytest.mark.process
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
