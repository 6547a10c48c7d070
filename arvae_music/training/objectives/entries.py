"""What is known of the objectives without making one, and without PyTorch: the command line names them.

How a latent dimension comes to carry an attribute (`carriage`):

    trained   the objective puts attribute k into dimension k
    given     the decoder is given the value's normal score (normal.py) in the place of dimension k, and an encoder of
              a measure reads it off the measure
    found     the objective knows no attributes: the dimension that tells most of one is looked for afterwards
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from ...errors import UsageError

Carriage = Literal["trained", "given", "found"]
DEFAULT = "ar-vae"
NOTHING = "nothing"  # Entry.weighs


@dataclass(frozen=True)
class Entry:
    """What is known of an objective without making it."""

    module: str  # of this package; its `make` makes the objective
    carriage: Carriage
    source: str
    beta: float  # usual weight of the KL divergence
    gamma: float  # usual weight of what is its own
    weighs: str  # what gamma weighs


ENTRIES: dict[str, Entry] = {
    "ar-vae": Entry("ar_vae", "trained", "Pati & Lerch (2020)", 1e-3, 1.0, "the attribute loss"),
    "aligned": Entry("aligned", "given", "Sohn et al. (2015), taught by its decodes", 12e-3, 0.0, NOTHING),
    "beta-vae": Entry("beta_vae", "found", "Higgins et al. (2017)", 1e-3, 0.0, NOTHING),
    "factor-vae": Entry("factor_vae", "found", "Kim & Mnih (2018)", 1e-3, 0.01, "total correlation"),
    "beta-tcvae": Entry("beta_tcvae", "found", "Chen et al. (2018)", 1e-3, 0.005, "total correlation"),
    "conditional": Entry("conditional", "given", "Sohn et al. (2015)", 1e-3, 0.0, NOTHING),
    "fader": Entry("fader", "given", "Lample et al. (2017)", 1e-3, 0.03, "what the adversary sees"),
    "glsr-vae": Entry("glsr_vae", "trained", "Hadjeres et al. (2017)", 1e-3, 0.03, "the slope's distance from 1"),
}


def entry(name: str) -> Entry:
    """Raises UsageError with the nearest name."""
    if name in ENTRIES:
        return ENTRIES[name]
    close = difflib.get_close_matches(name, ENTRIES, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"there are {', '.join(ENTRIES)}"
    raise UsageError(f"there is no objective {name!r}", remedy=remedy)
