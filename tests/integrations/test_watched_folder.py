"""The script that watches a folder: it makes the folders and starts arvae with the options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

SCRIPT = REPOSITORY / "integrations" / "watched_folder" / "arvae-watch.command"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
@pytest.mark.parametrize("options", [[], ["--contour", "+2 st", "-r"]])
def test_the_script_watches_its_folders(tmp_path: Path, options: list[str]) -> None:
    stub = tmp_path / "bin" / "arvae"
    stub.parent.mkdir()
    stub.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stub.chmod(0o755)
    env = {"PATH": f"{stub.parent}:/usr/bin:/bin", "HOME": str(tmp_path / "my home")}
    done = subprocess.run([SCRIPT, *options], env=env, capture_output=True, text=True, check=True)
    folder = tmp_path / "my home" / "arvae"
    words = ["edit", f"{folder}/in", "--watch", "-o", f"{folder}/out/", *(options or ["--density", "+1notes"])]
    assert done.stdout.splitlines() == words
    assert (folder / "in").is_dir()
    assert (folder / "out").is_dir()
