"""Published figures, shown beside measured ones."""

from __future__ import annotations

from .sections import Figures

# Pati & Lerch (2020), medians of ten seeds, read from their plots (see evaluate.py). `tokens` is their
# reconstruction accuracy.
METRICS = ("interpretability", "modularity", "mig", "sap", "scc")
PUBLISHED: dict[str, dict[str, Figures]] = {
    "bach": {
        "AR-VAE, published": dict(zip((*METRICS, "tokens"), (0.960, 0.690, 0.165, 0.319, 0.976, 0.9617), strict=True)),
        "beta-VAE, published": dict(
            zip((*METRICS, "tokens"), (0.078, 0.714, 0.031, 0.073, 0.346, 0.9909), strict=True)
        ),
    },
    "folk": {
        "AR-VAE, published": dict(zip((*METRICS, "tokens"), (0.962, 0.873, 0.481, 0.524, 0.987, 0.9954), strict=True)),
        "beta-VAE, published": dict(
            zip((*METRICS, "tokens"), (0.217, 0.866, 0.024, 0.099, 0.440, 0.9979), strict=True)
        ),
    },
}
# Control of decoded music as others publish it, for orientation: Wu & Yang (2021), MuseMorphose; Kawai et al. (2020).
PUBLISHED_CONTROL: dict[str, Figures] = {
    "MuseMorphose, rhythmic intensity": {"rho": 0.950, "drift_rho": 0.023},
    "MuseMorphose, polyphony": {"rho": 0.885, "drift_rho": 0.016},
    "Kawai et al., strongest": {"rho": 0.997, "drift_rho": 0.239},
    "Kawai et al., weakest": {"rho": 0.781},
}
