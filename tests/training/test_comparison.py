"""Methods side by side: means and deviations by hand, and tables that can be read back."""

from __future__ import annotations

import json
from statistics import mean, stdev

import pytest

from arvae_music.evaluation.headline import headline_names
from arvae_music.evaluation.published import METRICS, PUBLISHED
from arvae_music.images.evaluation import headline_names as headline_names_of_images
from arvae_music.training.comparison import COLUMNS, Run, cells, cells_of_runs, markdown, page, summary, to_json

NAN = float("nan")
OF_IMAGES = ("pixels", "kept")
OF_MEASURES = {name: label for name, label in COLUMNS.items() if name not in OF_IMAGES}


def run(method: str, seed: int, shift: float) -> Run:
    headline = {name: 0.1 * i % 1 + shift for i, name in enumerate(OF_MEASURES)}
    return Run(method, seed, 100 + seed, 60.0 + 45 * seed, headline, 0.001, 0.5)


RUNS = [run("fader", 0, 0.0), run("beta-vae", 0, 0.2), run("fader", 1, 0.01), run("fader", 2, 0.05)]


def read_back(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_columns_are_figures_of_the_headline():
    assert set(OF_MEASURES) <= set(headline_names(("a", "b")))
    assert set(OF_IMAGES) <= set(headline_names_of_images(("a", "b"), digits=True))


def test_a_column_that_no_run_has_is_not_there():
    drawn = Run("ar-vae", 0, 1, 1.0, {"paper.scc": 0.9, "pixels": 0.97}, 1.0, 60.0)
    assert read_back(markdown(cells([drawn], {"published": {"scc": 0.8, "kept": 0.5}}))) == [
        ["method", "runs", "steps", "minutes", "SCC", "pixels"],
        ["ar-vae", "1", "1", "0.0", "0.900", "0.970"],
        ["published", "", "", "", "0.800", ""],
    ]


def test_a_summary_is_the_mean_and_the_deviation_of_a_methods_runs():
    found = summary(RUNS)
    assert list(found) == ["fader", "beta-vae"]
    for name in OF_MEASURES:
        values = [one.headline[name] for one in RUNS if one.method == "fader"]
        assert found["fader"][name] == pytest.approx((mean(values), stdev(values)))
        assert found["beta-vae"][name][0] == RUNS[1].headline[name]
        assert found["beta-vae"][name][1] != found["beta-vae"][name][1]


def test_the_table_has_a_row_a_method_and_published_values_below():
    rows = read_back(markdown(cells(RUNS, PUBLISHED["bach"])))
    assert rows[0] == ["method", "runs", "steps", "minutes", *OF_MEASURES.values()]
    assert [row[0] for row in rows[1:]] == ["fader", "beta-vae", "AR-VAE, published", "beta-VAE, published"]
    assert rows[1][1:4] == ["3", "101", "1.8"]  # a minute, and .75 more with each seed
    column = rows[0].index("SCC")
    assert rows[1][column] == "given"  # the codes of fader are computed from the values
    assert rows[2][column] == f"{RUNS[1].headline['paper.scc']:.3f}"
    assert rows[2][column] == "0.600"
    assert rows[3][column] == "0.976"
    assert rows[3][rows[0].index("tokens drawn")] == "0.962"
    assert rows[3][rows[0].index("control")] == ""
    assert {len(row) for row in rows} == {len(rows[0])}


def test_every_run_has_a_row():
    rows = read_back(markdown(cells_of_runs(RUNS)))
    assert [row[:4] for row in rows] == [
        ["method", "seed", "steps", "minutes"],
        ["fader", "0", "100", "1.0"], ["beta-vae", "0", "100", "1.0"],
        ["fader", "1", "101", "1.8"], ["fader", "2", "102", "2.5"],
    ]  # fmt: skip
    own = dict(zip(OF_MEASURES, rows[3][4:], strict=True))
    assert {name for name, cell in own.items() if cell == "given"} == {
        "overlap", "kl", *(f"paper.{name}" for name in METRICS)
    }  # fmt: skip
    for name, cell in own.items():
        assert cell == "given" or float(cell) == pytest.approx(RUNS[2].headline[name], abs=6e-4)


def test_what_could_not_be_measured_is_a_dash():
    broken = Run("fader", 0, 1, 1.0, {**RUNS[0].headline, "leakage": NAN}, 0.001, 0.5)
    rows = read_back(markdown(cells([broken], {})))
    assert rows[1][rows[0].index("leakage")] == "-"


def test_the_page_says_how_it_was_made_and_explains_every_column():
    text = page(RUNS, PUBLISHED["bach"], "arvae benchmark --seeds 3", {"machine": "a machine"}, "Objectives on bach")
    assert text.startswith("# Objectives on bach\n\n    arvae benchmark --seeds 3\n")
    assert "- machine: a machine\n" in text
    explained = text[text.index("Columns:") :]
    assert all(name.rstrip(".") in explained for name in ("minutes", *OF_MEASURES.values()))
    assert markdown(cells(RUNS, PUBLISHED["bach"])) in text
    assert markdown(cells_of_runs(RUNS)) in text
    rows = [row for row in read_back(text) if row[1] in ("Lample et al. (2017)", "Higgins et al. (2017)")]
    assert [row[0] for row in rows] == ["fader", "beta-vae"]
    assert rows[0][5] == "exact codes, given to the decoder"
    assert [float(row[2]) for row in rows] == [1e-3, 1e-3]


def test_json_has_the_same():
    found = to_json(RUNS, PUBLISHED["bach"], {"machine": "a machine"})
    assert found["methods"]["fader"]["tokens"]["mean"] == summary(RUNS)["fader"]["tokens"][0]
    assert [(one["method"], one["seed"]) for one in found["runs"]] == [
        ("fader", 0),
        ("beta-vae", 0),
        ("fader", 1),
        ("fader", 2),
    ]
    assert json.dumps(found)
