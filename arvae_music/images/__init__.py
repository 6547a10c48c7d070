"""Images on the same core: examples, losses, training, checkpoint and metrics are those of measures."""
