"""A network and its Adam optimiser as one flat table of tensors, for safetensors."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim import Optimizer

MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # Adam's state of one parameter


def state_of(name: str, optimizer_name: str, module: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """The weights under `name` and the moments under `optimizer_name`."""
    state = {f"{name}.{key}": value for key, value in module.state_dict().items()}
    for key, parameter in module.named_parameters():
        for moment in MOMENTS:
            if parameter in optimizer.state:
                state[f"{optimizer_name}.{moment}.{key}"] = optimizer.state[parameter][moment]
    return state


def restore(
    state: dict[str, Tensor], name: str, optimizer_name: str, module: nn.Module, optimizer: Optimizer
) -> None:
    """The inverse of `state_of`. A parameter that never learned, because its phase was still to come, has no moments.

    Raises KeyError and RuntimeError if a tensor is missing or has another shape.
    """
    whole = f"{name}."
    module.load_state_dict({key[len(whole) :]: value for key, value in state.items() if key.startswith(whole)})
    for key, parameter in module.named_parameters():
        names = [f"{optimizer_name}.{moment}.{key}" for moment in MOMENTS]
        optimizer.state.pop(parameter, None)
        if any(each in state for each in names):
            moments = [state[each].to(parameter.device) for each in names]
            optimizer.state[parameter] = dict(zip(MOMENTS, moments, strict=True))
