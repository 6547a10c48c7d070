"""The notebooks of the documentation run from the first cell to the last."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("nbclient", reason="the extra `docs` is not installed")
import notebooks


def test_there_are_three_notebooks() -> None:
    assert [place.stem for place in notebooks.PLACES] == ["first_edit", "latent_space", "own_attribute"]


@pytest.mark.parametrize("place", notebooks.PLACES, ids=lambda place: place.stem)
def test_a_notebook_runs(place: Path, tmp_path: Path, shared_cache: Path) -> None:
    done = notebooks.run(place, tmp_path, shared_cache)
    assert all(cell.outputs or "=" in cell.source for cell in done.cells if cell.cell_type == "code")
