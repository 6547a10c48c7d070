"""A summary of each objective, without PyTorch, so that the command line can list them.

`carriage` tells how a latent dimension comes to represent an attribute:

    trained   the objective trains dimension k to represent attribute k
    given     the decoder gets the normal score of the value (vae/normal_scores.py) as dimension k; when a melody is
              encoded, this code is computed from the measured value
    found     the objective ignores attributes; after training, the most informative dimension of each is searched for
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...errors import UsageError, nearest_or

Carriage = Literal["trained", "given", "found"]
DEFAULT = "ar-vae"
NOTHING = "nothing"  # Entry.weighs of an objective that does not use gamma


@dataclass(frozen=True)
class Entry:
    """The summary of one objective."""

    module: str  # the module in this package whose `make` makes the objective
    carriage: Carriage
    source: str  # the publication
    beta: float  # the usual weight of the KL divergence
    gamma: float  # the usual weight of the objective's own term
    weighs: str  # the name of that term


ATTRIBUTE_LOSS = "the attribute loss"  # Entry.weighs of the objectives that `delta` belongs to
CONTEXTUAL = "contextual"  # the objective that trains measures in their context

ENTRIES: dict[str, Entry] = {
    CONTEXTUAL: Entry("contextual", "trained", "Pati & Lerch (2020), in context", 15e-3, 3.0, ATTRIBUTE_LOSS),
    "ar-vae": Entry("ar_vae", "trained", "Pati & Lerch (2020)", 1e-3, 1.0, ATTRIBUTE_LOSS),
    "power-transform": Entry("power_transform", "trained", "Petteno et al. (2025)", 1e-3, 1.0, "the codes' error"),
    "aligned": Entry("aligned", "given", "Sohn et al. (2015), taught by its decodes", 12e-3, 0.0, NOTHING),
    "beta-vae": Entry("beta_vae", "found", "Higgins et al. (2017)", 1e-3, 0.0, NOTHING),
    "factor-vae": Entry("factor_vae", "found", "Kim & Mnih (2018)", 1e-3, 0.01, "total correlation"),
    "beta-tcvae": Entry("beta_tcvae", "found", "Chen et al. (2018)", 1e-3, 0.005, "total correlation"),
    "conditional": Entry("conditional", "given", "Sohn et al. (2015)", 1e-3, 0.0, NOTHING),
    "fader": Entry("fader", "given", "Lample et al. (2017)", 1e-3, 0.03, "the adversarial term"),
    "glsr-vae": Entry("glsr_vae", "trained", "Hadjeres et al. (2017)", 1e-3, 0.03, "the distance of the slope from 1"),
}


def entry(name: str) -> Entry:
    """The summary of an objective. Raises UsageError, which suggests the nearest name, if there is none."""
    if name in ENTRIES:
        return ENTRIES[name]
    remedy = nearest_or(name, ENTRIES, f"there are {', '.join(ENTRIES)}")
    raise UsageError(f"there is no objective {name!r}", remedy=remedy)
