"""The image domain. Examples, losses, training, checkpoints and metrics are the same code as for measures."""
