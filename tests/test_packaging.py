"""What is shipped: every folder and data file of the package, under arvae_music and nowhere else."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY, write_melody

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = {name: REPOSITORY / folder for name, folder in SETUPTOOLS["package-dir"].items()}
WORKFLOWS = REPOSITORY / ".github" / "workflows"
NOT_SHIPPED = ("__pycache__", ".DS_Store")
LARGEST = 250e6  # bytes of an environment with arvae and without extras

ABC = "X:1\nT:x\nM:4/4\nL:1/4\nK:G\nGABc|d2 d2|\n"
_NOTE = "<note><pitch><step>G</step><octave>4</octave></pitch><duration>1</duration></note>"
MUSICXML = (
    "<score-partwise><part-list><score-part id='P'><part-name>x</part-name></score-part></part-list><part id='P'>"
    "<measure number='1'><attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
    f"</attributes>{_NOTE * 4}</measure><measure number='2'>{_NOTE * 4}</measure></part></score-partwise>"
)


def test_the_package_list_is_the_folders() -> None:
    found = set(FOLDERS)
    for name, folder in FOLDERS.items():
        for inner in folder.rglob("*.py"):
            parts = inner.parent.relative_to(folder).parts
            found.add(".".join((name, *parts)))
    assert sorted(SETUPTOOLS["packages"]) == sorted(found)
    assert all((folder / "__init__.py").is_file() for folder in FOLDERS.values())


def test_every_data_file_is_shipped() -> None:
    patterns = SETUPTOOLS["package-data"]
    for name, folder in FOLDERS.items():
        for path in folder.rglob("*"):
            if path.is_dir() or path.suffix in (".py", ".pyc") or path.name in NOT_SHIPPED:
                continue
            inside = path.relative_to(folder).as_posix()
            assert any(fnmatch.fnmatch(inside, p) for p in patterns.get(name, [])), path


def test_the_script_is_there() -> None:
    target = EntryPoint("arvae", PROJECT["project"]["scripts"]["arvae"], "console_scripts").load()
    assert callable(target)


def test_constraints_only_pin_what_is_required() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line and not line.startswith("#")}
    extras = [word for extra in PROJECT["project"]["optional-dependencies"].values() for word in extra]
    wanted = " ".join([*PROJECT["project"]["dependencies"], *extras])
    assert pinned
    assert all(name in wanted for name in pinned)


def test_the_declared_versions_of_python_are_those_that_the_workflow_tests() -> None:
    workflow = yaml.safe_load((WORKFLOWS / "tests.yml").read_text("utf-8"))
    matrix = workflow["jobs"]["systems"]["strategy"]["matrix"]
    prefix = "Programming Language :: Python :: "
    declared = [entry.removeprefix(prefix) for entry in PROJECT["project"]["classifiers"] if entry.startswith(prefix)]
    assert matrix["python"] == declared
    assert PROJECT["project"]["requires-python"] == f">={declared[0]}"
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}


def test_the_release_needs_no_password() -> None:
    text = (WORKFLOWS / "release.yml").read_text("utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    assert "secrets." not in text
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["needs"] == "build"


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob(".github/**/*.yml")), ids=lambda path: path.name)
def test_every_file_of_github_is_yaml(path: Path) -> None:
    assert yaml.safe_load(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no build folder is left here and none from before gets in."""
    source = tmp_path_factory.mktemp("source") / "arvae"
    source.mkdir()
    for folder in FOLDERS.values():
        shutil.copytree(folder, source / folder.name, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (REPOSITORY / name).is_file():
            shutil.copy(REPOSITORY / name, source)
    target = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(target),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment in which `pip install arvae` installed the wheel and what it requires, without extras; the
    folder of its scripts."""
    place = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(place, with_pip=True)
    scripts = place / ("Scripts" if os.name == "nt" else "bin")
    command = [scripts / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return scripts


@pytest.mark.slow
@pytest.mark.wheel
def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"arvae_music"}
    shipped = {name for name in names if name.startswith("arvae_music/")}
    for package, folder in FOLDERS.items():
        for path in folder.glob("*.py"):
            assert f"{package.replace('.', '/')}/{path.name}" in shipped
    for folder in ("models", "studio/page"):
        data = [path for path in (REPOSITORY / "arvae_music" / folder).rglob("*") if path.is_file()]
        assert data
        assert {path.relative_to(REPOSITORY).as_posix() for path in data} <= shipped
    assert "arvae_music/py.typed" in shipped


@pytest.mark.slow
@pytest.mark.wheel
def test_the_wheel_passes_the_checks_of_a_release(wheel: Path) -> None:
    settings = str(REPOSITORY / "pyproject.toml")
    for tool in (("twine", "check", "--strict"), ("check_wheel_contents", "--config", settings)):
        done = subprocess.run([sys.executable, "-m", *tool, str(wheel)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.wheel
def test_the_installation_is_small(light: Path) -> None:
    files = [path for path in light.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < LARGEST
    tops = {path.name for path in files[0].parent.parent.rglob("site-packages/*")}
    assert not tops & {"torch", "scipy", "sklearn", "matplotlib", "pyarrow", "music21"}


@pytest.mark.slow
@pytest.mark.wheel
def test_the_installed_wheel_edits_midi_files_and_scores(light: Path, home: dict[str, str], work: Path) -> None:
    def arvae(line: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [str(light / "arvae"), *line.split()]
        done = subprocess.run(command, capture_output=True, text=True, cwd=work, env=home, timeout=120)
        assert done.returncode == code, (line, done.stderr)
        return done

    write_melody(work / "melody.mid")
    (work / "tune.abc").write_text(ABC, "utf-8")
    (work / "song.musicxml").write_text(MUSICXML, "utf-8")
    (work / "tune.krn").write_text("**kern\n*M4/4\n4c\n*-\n", "utf-8")
    assert arvae("--version").stdout.startswith("arvae ")
    checks = {check["name"]: check for check in json.loads(arvae("doctor --json").stdout)["checks"]}
    assert str(light.parent) in checks["arvae"]["detail"]
    assert {check["state"] for name, check in checks.items() if name.startswith("extra ")} == {"note"}
    for name in ("melody.mid", "tune.abc", "song.musicxml"):
        [seen] = json.loads(arvae(f"inspect {name} --json").stdout)
        assert len(seen["bars"]) == 2
        arvae(f"edit {name} --density +1notes -o edited/{name} --roll")
        [seen] = json.loads(arvae(f"inspect edited/{name} --json").stdout)
        assert seen["bars"]
        assert (work / "edited" / f"{Path(name).stem}.svg").read_text("utf-8").startswith("<svg")
        arvae(f"vary {name} -n 2 -o varied/{name}/")
        arvae(f"interpolate melody.mid {name} --steps 3 -o between/{name}/")
    arvae("edit melody.mid --density +1notes -o edited/sound.wav")
    arvae("demo")
    assert (work / "demo" / "ode_to_joy.png").read_bytes().startswith(b"\x89PNG")
    for line, extra in (("train bach", "train"), ("image traverse mnist", "images"), ("inspect tune.krn", "kern")):
        assert f'run: pip install "arvae[{extra}]"' in arvae(line, code=2).stderr
