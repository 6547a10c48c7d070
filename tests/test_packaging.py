"""What is shipped: every folder and data file of the package, under arvae_music and nowhere else."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, write_melody

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = {name: REPOSITORY / folder for name, folder in SETUPTOOLS["package-dir"].items()}
NOT_SHIPPED = ("__pycache__", ".DS_Store")


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
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; the folder of its scripts.

    Its dependencies are this environment's, by a path file: to download PyTorch again would take minutes. An
    editable install doesn't shine through, since path files inside a folder on the path aren't read.
    """
    place = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True, timeout=120)
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    subprocess.run([*command, "--quiet", str(wheel)], check=True, timeout=120)
    packages = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    own = [folder for folder in sys.path if folder.endswith(("site-packages", "dist-packages"))]
    Path(packages, "dependencies.pth").write_text("\n".join(own) + "\n", "utf-8")
    return python.parent


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
def test_the_installed_wheel_runs(installed: Path, home: dict[str, str], work: Path) -> None:
    def arvae(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(installed / "arvae"), *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=work, env=home, timeout=120)

    write_melody(work / "melody.mid")
    assert arvae("--version").stdout.startswith("arvae ")
    assert "Usage" in arvae("--help").stdout
    checks = {c["name"]: c for c in json.loads(arvae("doctor", "--json").stdout)["checks"]}
    assert str(installed.parent) in checks["arvae"]["detail"]
    seen = arvae("inspect", "melody.mid", "--json")
    assert seen.returncode == 0, seen.stderr
    [song] = json.loads(seen.stdout)
    assert len(song["bars"]) == 2
