"""Array types, each defined once.

Shape letters, as docstrings use them:

    n  rows, candidates, examples      t  ticks of a measure
    m  measures                        k  attributes
    g  groups: distinct measures       v  vocabulary
    z  latent dimensions               h, w  height and width of an image
    b  rows of a mini-batch
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]  # of any numbers
Floats = npt.NDArray[np.floating[Any]]
Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]  # images: (n, h, w)
Rows = npt.NDArray[np.int16]  # (n, t) tokens
Row = npt.NDArray[np.int16]  # (t,) tokens

Shapes = dict[str, tuple[int, ...]]  # the shapes of weights by name
