"""Writes docs/models.md from the models in the package and the evaluations beside them.

arvae evaluate bach --part test --json > arvae_music/models/bach.evaluation.json
python scripts/make_model_card.py
"""

from __future__ import annotations

from pathlib import Path

from arvae_music.reports import model_card as card
from arvae_music.system.files import write_whole
from arvae_music.vae import checkpoint

PAGE = Path(__file__).parent.parent / "docs" / "models.md"


def text() -> str:
    models = {name: checkpoint.read(name) for name in checkpoint.packaged_names()}
    return card.page({name: (model, card.evaluation_of(model)) for name, model in models.items()})


if __name__ == "__main__":
    write_whole(PAGE, text().encode(), overwrite=True)
    print(f"wrote {PAGE}")
