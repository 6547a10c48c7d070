#!/usr/bin/env bash
# Train the bundled models with the project's own commands, evaluate them, and copy models and evaluations into the
# package. docs/models.md has the resulting figures. Run it from the root of the repository, or name the models to make:
#
#     scripts/train_models.sh                  all of them
#     scripts/train_models.sh folk             one
#
# The models of music are AR-VAEs of measures in context. Each takes MINUTES on one core of a CPU (default: 60). The image
# models take 10 and 15 minutes, and need `pip install -e '.[images]'`. Models that were trained by the clock resemble
# each other, but are not equal.
set -euo pipefail
minutes=${MINUTES:-60}
models=("$@")
[ $# -gt 0 ] || models=(folk bach all mnist sprites)
for model in "${models[@]}"; do
  case "$model" in
    mnist | sprites) arvae train "$model" -o "runs/$model" --overwrite --threads 1 ;;
    *) arvae train "$model" -o "runs/$model" --overwrite --threads 1 --minutes "$minutes" ;;
  esac
  cp "runs/$model/model.safetensors" "arvae_music/models/$model.safetensors"
  arvae evaluate "$model" --part test --json > "arvae_music/models/$model.evaluation.json"
done
python scripts/make_model_card.py
