"""Models on the Hub, from a server on this machine: downloaded, cached, checked, and published."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from hub_server import TOKEN, Hub, serving

from arvae_music.vae import checkpoint
from arvae_music.vae.hub import Address

BACH = (checkpoint.PACKAGED / "bach.safetensors").read_bytes()
NAME = "hf://me/bach"
NOBODY = "http://127.0.0.1:1"  # no server listens on this port
EDIT = ("edit", "melody.mid", "--density", "+1notes", "--dry-run", "--model")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        hub.commit("me/bach", {"model.safetensors": BACH})
        yield hub


@pytest.fixture
def there(hub: Hub) -> dict[str, str]:
    """The environment of a client of the server."""
    return {"HF_ENDPOINT": hub.address, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


@pytest.mark.usefixtures("melody")
def test_a_model_on_the_hub_is_used_like_any_other_and_downloaded_once(
    run_arvae: Run, hub: Hub, there: dict[str, str]
) -> None:
    done = run_arvae(*EDIT, NAME, env=there)
    assert done.returncode == 0, done.stderr
    assert "model: hf://me/bach@" in done.stdout
    assert run_arvae(*EDIT, NAME, env=there).stdout == done.stdout
    assert sum(line.startswith("GET") and line.endswith("model.safetensors") for line in hub.requests) == 1
    assert {line.rpartition("/")[2] for line in hub.requests} == {"model.safetensors", "evaluation.json"}


def test_the_library_loads_it_too(there: dict[str, str], home: dict[str, str]) -> None:
    code = "import arvae_music; model = arvae_music.load('hf://me/bach'); print(model.name, model.checkpoint.digest)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**home, **there}, timeout=120
    )
    name, digest = done.stdout.split()
    assert name.startswith("hf://me/bach@")
    assert digest == checkpoint.read("bach").digest


@pytest.mark.usefixtures("melody")
def test_a_cached_model_works_without_a_connection(run_arvae: Run, there: dict[str, str]) -> None:
    online = run_arvae(*EDIT, NAME, env=there)
    for offline in ({"HF_ENDPOINT": NOBODY}, {"HF_HUB_OFFLINE": "1"}):
        done = run_arvae(*EDIT, NAME, env={**there, **offline})
        assert (done.returncode, done.stdout) == (0, online.stdout), done.stderr


@pytest.mark.usefixtures("melody")
def test_without_a_connection_and_without_a_copy_the_error_says_so(run_arvae: Run, there: dict[str, str]) -> None:
    done = run_arvae(*EDIT, NAME, env={**there, "HF_ENDPOINT": NOBODY})
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"arvae: {NAME}: {NOBODY} cannot be reached, and the cache has no copy; "
        "connect to the internet for the first use, or give the file of a model"
    )
    done = run_arvae(*EDIT, NAME, env={**there, "HF_HUB_OFFLINE": "1"})
    assert done.returncode == 2
    assert "HF_HUB_OFFLINE is set, and the cache has no copy" in done.stderr


@pytest.mark.usefixtures("melody")
def test_a_revision_is_a_branch_a_tag_or_a_commit(run_arvae: Run, hub: Hub, there: dict[str, str]) -> None:
    [first] = [name for name in hub.repositories["me/bach"] if name != "main"]
    hub.commit("me/bach", {"model.safetensors": (checkpoint.PACKAGED / "folk.safetensors").read_bytes()})
    assert f"model: hf://me/bach@{first[:7]}" in run_arvae(*EDIT, f"{NAME}@{first}", env=there).stdout
    shown = json.loads(run_arvae("models", "info", NAME, "--json", env=there).stdout)
    assert shown["digest"] == checkpoint.read("folk").digest
    done = run_arvae(*EDIT, f"{NAME}@old", env=there)
    assert (done.returncode, "it has no revision 'old'" in done.stderr) == (2, True)


@pytest.mark.usefixtures("melody")
def test_what_is_no_model_of_arvae_is_refused_and_no_pickle_is_downloaded(
    run_arvae: Run, hub: Hub, there: dict[str, str]
) -> None:
    hub.commit("me/pickle", {"pytorch_model.bin": b"\x80\x04.", "model.pt": b"\x80\x04."})
    done = run_arvae(*EDIT, "hf://me/pickle", env=there)
    assert done.returncode == 2
    assert "hf://me/pickle: it is not a model of arvae: it has no file model.safetensors" in done.stderr
    assert hub.requests
    assert all(line.endswith("model.safetensors") for line in hub.requests)
    hub.commit("me/other", {"model.safetensors": b"\x80\x04."})
    done = run_arvae(*EDIT, "hf://me/other", env=there)
    assert (done.returncode, "it is not a complete safetensors file" in done.stderr) == (2, True)


@pytest.mark.usefixtures("melody")
def test_no_code_is_imported_for_a_model_of_the_hub(
    run_arvae: Run, hub: Hub, there: dict[str, str], tmp_path: Path
) -> None:
    """An attribute of one's own is a function, by its module; a stranger's model must not choose what is imported."""
    found = checkpoint.read("bach")
    scales = tuple(replace(scale, origin="antigravity:geohash") for scale in found.metadata.scales)
    path = tmp_path / "own.safetensors"
    checkpoint.write(path, replace(found, metadata=replace(found.metadata, scales=scales)))
    hub.commit("me/own", {"model.safetensors": path.read_bytes()})
    done = run_arvae(*EDIT, "hf://me/own", env=there)
    assert done.returncode == 2
    assert "it needs the function antigravity:geohash, and arvae imports no code for a model of the Hub" in done.stderr


@pytest.mark.usefixtures("melody")
def test_an_unknown_repository_and_an_address_that_is_none(run_arvae: Run, there: dict[str, str]) -> None:
    done = run_arvae(*EDIT, "hf://me/nothing", env=there)
    assert done.returncode == 2
    assert "has no such model, or it is private; check the name, or log in with: hf auth login" in done.stderr
    for text in ("hf://bach", "hf://me/", "hf://me/a/b", "hf://me/a@"):
        done = run_arvae(*EDIT, text, env=there)
        assert (done.returncode, "is not the address of a model; write hf://owner/name" in done.stderr) == (2, True)


@pytest.mark.usefixtures("melody")
def test_a_damaged_copy_is_found(run_arvae: Run, hub: Hub, there: dict[str, str]) -> None:
    hub.damaged = True
    done = run_arvae(*EDIT, NAME, env=there)
    assert done.returncode == 2
    assert "its copy in the cache is damaged; remove " in done.stderr
    hub.damaged = False
    Path(done.stderr.partition("remove ")[2].partition(", so that")[0]).unlink()
    assert run_arvae(*EDIT, NAME, env=there).returncode == 0


@pytest.mark.usefixtures("melody")
def test_a_model_is_published_with_its_card_and_evaluation(run_arvae: Run, hub: Hub, there: dict[str, str]) -> None:
    from huggingface_hub import ModelCard

    done = run_arvae("models", "push", "bach", "hf://me/new", "--json", env={**there, "HF_TOKEN": TOKEN})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "address": "hf://me/new", "url": f"{hub.address}/me/new", "digest": checkpoint.read("bach").digest,
    }  # fmt: skip
    files = hub.repositories["me/new"]["main"]
    assert set(files) == {"README.md", "model.safetensors", "evaluation.json"}
    assert files["model.safetensors"] == BACH
    card = ModelCard(files["README.md"].decode())
    assert card.data.license == "other"
    assert card.data.library_name == "arvae"
    assert {"arvae", "midi"} <= set(card.data.tags)
    assert card.data.datasets == ["bach"]
    control = next(result for result in card.data.eval_results if result.metric_type == "control_mean")
    headline = json.loads((checkpoint.PACKAGED / "bach.evaluation.json").read_text("utf-8"))["headline"]
    assert control.metric_value == round(headline["control_mean"], 4)
    assert "--model hf://me/new" in card.text
    shown = json.loads(run_arvae("models", "info", "hf://me/new", "--json", env=there).stdout)
    assert shown["evaluation"]["corpus"] == "bach"


def test_publishing_needs_a_login_and_a_server(run_arvae: Run, there: dict[str, str]) -> None:
    done = run_arvae("models", "push", "bach", "hf://me/new", env=there)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("log in with: hf auth login, or set HF_TOKEN")
    done = run_arvae("models", "push", "bach", "hf://me/new", env={**there, "HF_ENDPOINT": NOBODY, "HF_TOKEN": TOKEN})
    assert done.returncode == 2
    assert f"hf://me/new: {NOBODY} does not answer as expected" in done.stderr
    assert "a bug" not in done.stderr


def test_addresses() -> None:
    assert Address.parse("hf://a-b/c.d_e") == Address("a-b/c.d_e")
    assert str(Address.parse("hf://me/bach@v1.0")) == "hf://me/bach@v1.0"
    assert Address.parse("hf://me/bach@refs/pr/1").revision == "refs/pr/1"
