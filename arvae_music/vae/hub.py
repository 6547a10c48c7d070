"""Models on the Hugging Face Hub, or on a server of its kind that HF_ENDPOINT names (the extra `hub`).

    fetch("hf://owner/name")             the file of a model, downloaded unless it is in the cache
    fetch("hf://owner/name@revision")    a branch, a tag or a commit
    upload(address, files)               make the repository if necessary, and commit files to it

A repository has the model as `model.safetensors`, its card as README.md and, where there is one, its evaluation as
`evaluation.json`. Nothing else is ever downloaded, so that no pickle is, and `checkpoint.read` refuses a model that
names a Python function as its attribute.

huggingface-hub keeps the downloads in its own cache (HF_HOME). Without a connection, or with HF_HUB_OFFLINE=1, the
cached revision is used. A file whose name in the cache is its SHA-256, as of every large file, is compared with it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import CheckpointError, OutputError, UsageError
from ..system.extras import need

PREFIX = "hf://"
MODEL_FILE = "model.safetensors"  # as in a run folder
EVALUATION_FILE = "evaluation.json"  # as in a run folder
CARD = "README.md"

_ADDRESS = re.compile(rf"{PREFIX}([\w.-]+/[\w.-]+?)(?:@([\w./-]+))?/?")
_CACHED = re.compile(r"models--(.+)")  # huggingface-hub's folder of a repository; -- stands for /
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Address:
    repository: str  # owner/name
    revision: str | None = None  # None: the branch main

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}{f'@{self.revision}' if self.revision else ''}"

    @staticmethod
    def parse(text: str) -> Address:
        """Read `hf://owner/name`, with or without `@revision`. Raises UsageError."""
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise UsageError(f"{text!r} is not the address of a model", remedy=f"write {PREFIX}owner/name")
        return Address(*found.groups())


@lru_cache(maxsize=16)  # a process uses one revision, and does not ask the server for every file of a batch
def fetch(text: str) -> Path:
    """The local file of the model at this address, with its evaluation beside it.

    Raises UsageError for an invalid address, ExtraError without huggingface-hub, and CheckpointError for a model that
    does not exist or cannot be downloaded.
    """
    address = Address.parse(text)
    path = _downloaded(address, MODEL_FILE)
    with suppress(CheckpointError):  # many models have no evaluation
        _downloaded(address, EVALUATION_FILE)
    _check_sum(address, path)
    return path


def name_of(path: Path) -> str | None:
    """The address of a model's file in huggingface-hub's cache, with the first digits of its commit; None elsewhere."""
    folders = path.parts[-4:-1]  # models--owner--name, snapshots, commit
    if len(folders) < 3 or folders[1] != "snapshots" or not (found := _CACHED.fullmatch(folders[0])):
        return None
    return f"{PREFIX}{found[1].replace('--', '/')}@{folders[2][:7]}"


def upload(address: Address, files: Mapping[str, bytes], message: str, *, private: bool = False) -> str:
    """Commit files to a repository, which is made if it does not exist, and return its web address.

    Raises OutputError if the server refuses or cannot be reached, and ExtraError without huggingface-hub.
    """
    need("hub", "a model on the Hub")
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    with _explained(address, OutputError):
        api.create_repo(address.repository, private=private, exist_ok=True)
        additions = [CommitOperationAdd(name, data) for name, data in files.items()]
        api.create_commit(address.repository, additions, commit_message=message, revision=address.revision)
    return f"{api.endpoint}/{address.repository}"


def _downloaded(address: Address, name: str) -> Path:
    need("hub", "a model on the Hub")
    from huggingface_hub import hf_hub_download

    with _explained(address, CheckpointError, name):
        return Path(hf_hub_download(address.repository, name, revision=address.revision))


@contextmanager
def _explained(address: Address, kind: type[CheckpointError | OutputError], file: str = "") -> Iterator[None]:
    """Turn the exceptions of huggingface-hub into errors with a remedy."""
    from huggingface_hub import constants, errors

    def error(what: str, remedy: str) -> CheckpointError | OutputError:
        return kind(what, where=str(address), remedy=remedy)

    server, log_in = constants.ENDPOINT, "log in with: hf auth login, or set HF_TOKEN"
    try:
        yield
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as problem:
        offline = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else f"{server} cannot be reached"
        remedy = "connect to the internet for the first use, or give the file of a model"
        raise error(f"{offline}, and the cache has no copy", remedy) from problem
    except errors.GatedRepoError as problem:
        raise error("its owner gives access on request", f"ask for it on its page, and {log_in}") from problem
    except errors.RepositoryNotFoundError as problem:
        raise error(f"{server} has no such model, or it is private", f"check the name, or {log_in}") from problem
    except errors.RevisionNotFoundError as problem:
        raise error(f"it has no revision {address.revision!r}", "leave out @revision, or name another") from problem
    except errors.EntryNotFoundError as problem:
        raise error(f"it is not a model of arvae: it has no file {file}", "name another model") from problem
    except errors.LocalTokenNotFoundError as problem:
        raise error("you are not logged in", log_in) from problem
    except errors.HFValidationError as problem:
        raise error(f"the address is not valid ({_line(problem)})", f"write {PREFIX}owner/name") from problem
    except Exception as problem:
        # The rest are answers of the server, and failures of the network, whose classes are those of its HTTP library.
        status = getattr(getattr(problem, "response", None), "status_code", None)
        if status in (401, 403):
            raise error(f"{server} refuses access ({status})", log_in) from problem
        raise error(f"{server} does not answer as expected ({_line(problem)})", "try again later") from problem


def _line(problem: Exception) -> str:
    return next((line.strip() for line in str(problem).splitlines() if line.strip()), type(problem).__name__)


def _check_sum(address: Address, path: Path) -> None:
    """Compare a file with its name in the cache, which is its SHA-256 where the cache can link files."""
    stored = path.resolve()
    if _SHA256.fullmatch(stored.name) and hashlib.sha256(stored.read_bytes()).hexdigest() != stored.name:
        remedy = f"remove {os.fspath(stored)}, so that it is downloaded again"
        raise CheckpointError("its copy in the cache is damaged", where=str(address), remedy=remedy)
