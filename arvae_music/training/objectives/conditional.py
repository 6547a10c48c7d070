"""Conditional VAE: the decoder is given the attributes. Sohn, Lee & Yan, "Learning Structured Output Representation
using Deep Conditional Generative Models", NeurIPS 2015; with a label for a condition, Kingma et al. (2014), M2.

    reconstruction( x | z, a ) + beta KL( q(z | x) || N(0, 1) )

The decoder's first k inputs are the normal scores of the values, the others are z. The encoder does not get the values,
because they are functions of x. No term of the loss prevents z from containing information about them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .entries import Carriage
from .objective import Objective, Setting, Step, Terms, evidence


@dataclass(frozen=True)
class ConditionalVae(Objective):
    beta: float
    carriage: ClassVar[Carriage] = "given"

    def terms(self, step: Step) -> Terms:
        return evidence(step, self.beta, first=step.batch.codes.shape[1])


def make(setting: Setting) -> ConditionalVae:
    return ConditionalVae(setting.beta)
