#!/usr/bin/env bash
# Trains the models of the package anew, with nothing but the project's own commands, evaluates them, and puts both in
# place; docs/models.md says what came of it.
# About 15 and 25 minutes for music, 10 and 15 for images (which need `pip install -e '.[images]'`). Run from the repository's root.
set -euo pipefail
for corpus in bach folk mnist sprites; do
  arvae train "$corpus" -o "runs/$corpus" --overwrite --threads 1
  cp "runs/$corpus/model.safetensors" "arvae_music/models/$corpus.safetensors"
  arvae evaluate "$corpus" --part test --json > "arvae_music/models/$corpus.evaluation.json"
done
python scripts/make_model_card.py
