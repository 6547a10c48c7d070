"""Write docs/models.md from the bundled models and the evaluations that are stored next to them.

    arvae evaluate bach --part test --json > arvae_music/models/bach.evaluation.json
    python scripts/make_model_card.py

The page is replaced. It lists every model in arvae_music/models with its data, training and figures on test tunes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from arvae_music.reports import model_card as card
from arvae_music.system.files import write_whole
from arvae_music.vae import checkpoint

PAGE = Path(__file__).parent.parent / "docs" / "models.md"


def text() -> str:
    """The page as Markdown."""
    models = {name: checkpoint.read(name) for name in checkpoint.packaged_names()}
    return card.page({name: (model, card.evaluation_of(model)) for name, model in models.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    write_whole(PAGE, text().encode(), overwrite=True)
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
