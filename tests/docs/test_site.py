"""The documentation site builds without a warning, holds what the code gives it, and fetches nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

from arvae_music.cli.commands import COMMANDS

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
FRAME = re.compile(r'<iframe src="([^"]+)"')
FETCHED = re.compile(r"""(?:<script[^>]+src|<link[^>]+rel="stylesheet"[^>]+href|<img[^>]+src)="(?:https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "command-line.html").read_text("utf-8")
    assert all(f"arvae {name}" in page for name in COMMANDS)
    assert all(option in page for option in ("--density", "--lock", "--fail-under", "--tick-hidden", "--mnist-dir"))


def test_functions_of_the_library_show_their_parameters(site: Path) -> None:
    page = (site / "reference" / "python.html").read_text("utf-8")
    assert "<li><p><strong>lock</strong>" in page or "<li><strong>lock</strong>" in page


@pytest.mark.parametrize("player", ["edit", "variations", "grid", "steps"])
def test_players_are_pages_of_the_site(site: Path, player: str) -> None:
    folder = site / "players" / player
    assert "<button" in (folder / "index.html").read_text("utf-8")
    assert list(folder.glob("*.mid"))


def test_players_that_pages_show_exist(site: Path) -> None:
    texts = {page: page.read_text("utf-8") for page in site.rglob("*.html")}
    shown = [page.parent / place for page, text in texts.items() for place in FRAME.findall(text)]
    assert shown
    assert all(place.is_file() for place in shown)


def test_pages_fetch_nothing(site: Path) -> None:
    assert [page.name for page in site.rglob("*.html") if FETCHED.search(page.read_text("utf-8"))] == []
