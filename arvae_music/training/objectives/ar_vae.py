"""AR-VAE: the loss orders dimension k by attribute k. Pati & Lerch (2020), arXiv:2004.05485, section III.

reconstruction + beta KL + gamma sum over k of MAE( tanh(delta D_z) - sgn(D_a) )        losses.attribute_loss
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..losses import attribute_loss
from .entries import Carriage
from .objective import Objective, Setting, Step, Terms, evidence


@dataclass(frozen=True)
class ArVaeObjective(Objective):
    beta: float
    gamma: float
    delta: float
    carriage: ClassVar[Carriage] = "trained"

    def terms(self, step: Step) -> Terms:
        values = step.batch.values
        attribute = attribute_loss(step.outputs.z[:, : values.shape[1]], values, self.delta)
        return evidence(step, self.beta).plus("attribute", self.gamma, attribute)


def make(setting: Setting) -> ArVaeObjective:
    return ArVaeObjective(setting.beta, setting.gamma, setting.delta)
