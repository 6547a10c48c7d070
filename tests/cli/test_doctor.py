"""`arvae doctor`: missing and broken libraries, folders and models, in real processes and with stand-ins."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, Run
from hidden import OPTIONAL, without

from arvae_music import diagnosis
from arvae_music.system.extras import EXTRAS, LIBRARIES
from arvae_music.vae import checkpoint

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

def broken_library(folder: Path, module: str, error: str) -> dict[str, str]:
    """The environment of a Python process in which importing `module` raises `error`."""
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").write_text(f"raise {error}\n", "utf-8")
    return {"PYTHONPATH": os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))}


def checks_of(run_arvae: Run, env: dict[str, str] | None = None) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code, and the checks by name."""
    done = run_arvae("doctor", "--json", env=env)
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_a_whole_installation_has_nothing_broken(run_arvae: Run) -> None:
    code, checks = checks_of(run_arvae)
    assert [check for check in checks.values() if check["state"] == "broken"] == []
    assert code == 0
    for name in checkpoint.packaged_names():
        assert checkpoint.read(name).digest in checks[f"model {name}"]["detail"]
    assert checks["threads"]["state"] == "info"  # it is a fact, and nothing was checked


def test_every_requirement_of_the_package_is_checked() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]

    def names(requirements: list[str]) -> set[str]:
        return {requirement.partition(">=")[0] for requirement in requirements} - {"tomli"}

    assert {library.distribution for library in LIBRARIES} - {"tomli"} == names(project["dependencies"])
    groups = project["optional-dependencies"]
    assert set(groups) == {*EXTRAS, "all", "dev", "docs"}  # the last two are for developers
    for name, extra in EXTRAS.items():
        assert {library.distribution for library in extra.libraries} == names(groups[name])
    assert groups["all"] == [f"arvae[{','.join(name for name in groups if name in EXTRAS)}]"]


def test_a_missing_extra_is_a_note_with_the_command_that_installs_it(run_arvae: Run, tmp_path: Path) -> None:
    code, checks = checks_of(run_arvae, without(tmp_path / "site", "verovio", "music21"))
    assert code == 0
    assert {checks[f"extra {name}"]["state"] for name in ("report", "kern", "train")} == {"note"}
    assert checks["extra kern"]["detail"] == (
        'not installed; needed for Humdrum kern files; run pip install "arvae[kern]"'
    )
    assert checks["extra report"]["detail"].startswith("without verovio, music21; needed for the plots")
    assert checks["extra pandas"]["state"] == "good"


def test_without_any_extra_nothing_is_broken(run_arvae: Run, tmp_path: Path) -> None:
    code, checks = checks_of(run_arvae, without(tmp_path / "site", *OPTIONAL))
    assert code == 0
    assert {checks[f"extra {name}"]["detail"].split(";")[0] for name in EXTRAS} == {"not installed"}
    assert (checks["model mnist"]["state"], checks["model folk"]["state"]) == ("note", "good")
    assert 'pip install "arvae[images]"' in checks["model mnist"]["detail"]


def test_a_missing_library_is_broken_and_names_what_it_is_needed_for(run_arvae: Run, tmp_path: Path) -> None:
    env = without(tmp_path / "site", "numpy", "platformdirs", "rich")
    code, checks = checks_of(run_arvae, env)
    assert code == 1
    assert {checks[name]["state"] for name in ("numpy", "platformdirs", "rich")} == {"broken"}
    assert checks["rich"]["detail"] == (
        "is not installed; needed for tables and progress bars; run pip install 'rich>=13'"
    )
    assert checks["settings"]["state"] == checks["models"]["state"] == "broken"  # neither could be read
    told = run_arvae("doctor", env=env)
    assert "arvae: numpy: is not installed" in told.stderr


def test_a_library_of_an_extra_that_does_not_load_is_broken(run_arvae: Run, tmp_path: Path) -> None:
    code, checks = checks_of(run_arvae, broken_library(tmp_path / "site", "verovio", "ImportError('no symbol')"))
    assert (code, checks["extra report"]["state"]) == (1, "broken")
    assert "run pip install --force-reinstall 'verovio>=4'" in checks["extra report"]["detail"]


def test_a_library_that_does_not_load_is_installed_anew(run_arvae: Run, tmp_path: Path) -> None:
    fault = "ImportError('libsymusic.so: undefined symbol')"
    code, checks = checks_of(run_arvae, broken_library(tmp_path / "site", "symusic", fault))
    assert code == 1
    assert checks["symusic"]["state"] == "broken"
    assert "cannot be imported (libsymusic.so: undefined symbol)" in checks["symusic"]["detail"]
    assert checks["symusic"]["detail"].endswith("run pip install --force-reinstall 'symusic>=0.5'")


def test_a_library_that_is_too_old_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    [numpy] = [library for library in LIBRARIES if library.distribution == "numpy"]
    monkeypatch.setattr(diagnosis.metadata, "version", lambda name: "1.9.3")
    check = diagnosis.check_library(numpy)
    assert check.state == "broken"
    assert check.detail == "1.9.3 is too old; needed for every command; run pip install --upgrade 'numpy>=1.26'"


def test_a_place_where_no_file_can_be_made_is_no_good_cache(run_arvae: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    code, checks = checks_of(run_arvae, {"ARVAE_CACHE": str(file / "cache")})
    assert (code, checks["cache"]["state"]) == (0, "note")
    assert "is not writable" in checks["cache"]["detail"]
    assert "set ARVAE_CACHE" in checks["cache"]["detail"]


@pytest.mark.parametrize("name", ["mnist", "folk"])
def test_a_damaged_model_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """mnist's file holds no checksum: that of its evaluation is compared."""
    models = tmp_path / "models"
    shutil.copytree(checkpoint.PACKAGED, models)
    path = models / f"{name}.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 0x01  # one bit of one weight
    path.write_bytes(data)
    monkeypatch.setattr(checkpoint, "PACKAGED", models)
    states = {check.name: check.state for check in diagnosis.check_models()}
    assert states == {f"model {each}": "broken" if each == name else "good" for each in checkpoint.packaged_names()}


def test_settings_that_cannot_be_read_are_broken(run_arvae: Run) -> None:
    done = run_arvae("doctor", env={"ARVAE_SEED": "x"})
    assert done.returncode == 1
    assert "ARVAE_SEED" in done.stderr
