"""The description of the network is held to the PyTorch model that is built from the same sizes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arvae_music.music.meter import Meter
from arvae_music.networks.architecture import MeasureDims, weight_shapes
from arvae_music.networks.hierarchical import build


@pytest.mark.parametrize(
    "dims",
    [
        MeasureDims(),
        MeasureDims(latent=7, hidden=10, tick_hidden=6),
        MeasureDims(latent=7, hidden=10, tick_hidden=6, wide=5, each_tick=True),
        MeasureDims(latent=7, hidden=10, tick_hidden=6, flow_layers=3, flow_hidden=4, attributes=2),
        MeasureDims(latent=7, hidden=10, tick_hidden=6, flow_layers=1, attributes=2, codes=30, beats=7),
    ],
)
def test_the_shapes_are_those_of_the_model(dims: MeasureDims) -> None:
    built = {name: tuple(value.shape) for name, value in build(dims).state_dict().items()}
    assert weight_shapes(dims) == built


def test_the_sizes_that_shapes_depend_on_are_read_back() -> None:
    dims = MeasureDims(latent=7, hidden=10, tick_hidden=6, wide=5, each_tick=True, flow_layers=1, attributes=2)
    assert weight_shapes(MeasureDims.from_json(dims.to_json())) == weight_shapes(dims)
    longer = dims.for_meters([Meter.parse("7/8")])
    assert weight_shapes(MeasureDims.from_json(longer.to_json())) == weight_shapes(longer)
    with pytest.raises(KeyError):
        MeasureDims.from_json({"latent": 7})


def test_the_tables_grow_with_the_meters_of_the_corpus() -> None:
    """The networks of the usual meters keep their size, so that the oldest checkpoints can be read."""
    dims = MeasureDims()
    assert dims.for_meters([Meter(4), Meter(2, compound=True)]) == dims == dims.for_meters([])
    seven = Meter.parse("7/8")
    assert dims.for_meters([Meter(4), seven]) == replace(dims, codes=seven.code + 1, beats=7)
    stated = {name: size for name, size in dims.to_json().items() if name not in ("codes", "beats")}
    assert weight_shapes(MeasureDims.from_json(stated)) == weight_shapes(dims)
