"""A server on this machine that speaks the part of the Hugging Face Hub's protocol that arvae's client uses."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_token"
_RESOLVE = re.compile(r"/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)")
_COMMIT = re.compile(r"/api/models/([\w.-]+/[\w.-]+)/(commit|preupload)/main")
_BATCH = re.compile(r"/([\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch")


class Hub:
    """Repositories: their commits, by name, as files; `main` names the last one. `requests` lists the files that were
    requested."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.requests: list[str] = []
        self.large: dict[str, bytes] = {}
        self.address = ""
        self.damaged = False  # sends other bytes than those of the checksum

    def commit(self, repository: str, files: dict[str, bytes]) -> str:
        commits = self.repositories.setdefault(repository, {})
        before = commits.get("main", {})
        name = hashlib.sha1(repr((repository, len(commits))).encode()).hexdigest()
        commits[name] = commits["main"] = {**before, **files}
        return name


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def answer(self, code: int, body: bytes | dict[str, Any] = b"", **headers: str) -> None:
            data = json.dumps(body).encode() if isinstance(body, dict) else body
            self.send_response(code)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def do_GET(self) -> None:
            found = _RESOLVE.fullmatch(self.path)
            if found is None:
                return self.answer(404)
            hub.requests.append(f"{self.command} {self.path}")
            repository, revision, name = found.groups()
            commits = hub.repositories.get(repository)
            if commits is None:
                return self.answer(404, X_Error_Code="RepoNotFound")
            if revision not in commits:
                return self.answer(404, X_Error_Code="RevisionNotFound")
            commit = next(key for key, files in commits.items() if files is commits[revision])
            if name not in commits[revision]:
                return self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
            data = commits[revision][name]
            tag = hashlib.sha256(data).hexdigest()
            sent = data[:-1] + bytes([data[-1] ^ 1]) if hub.damaged else data
            return self.answer(200, sent, ETag=f'"{tag}"', X_Repo_Commit=commit)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/api/validate-yaml":
                return self.answer(200, {"errors": [], "warnings": []})
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.answer(401, {"error": "Invalid username or password."})
            if self.path == "/api/repos/create":
                body = json.loads(data)
                name = "/".join(filter(None, (body.get("organization"), body["name"])))
                hub.repositories.setdefault(name, {"main": {}})
                return self.answer(200, {"url": f"{hub.address}/{name}"})
            if _BATCH.fullmatch(self.path):
                uploads = [
                    {**file, "actions": {"upload": {"href": f"{hub.address}/large/{file['oid']}", "header": {}}}}
                    for file in json.loads(data)["objects"]
                ]
                return self.answer(
                    200, {"transfer": "basic", "objects": uploads}, Content_Type="application/vnd.git-lfs+json"
                )
            found = _COMMIT.fullmatch(self.path)
            if found is None:
                return self.answer(404)
            if found[2] == "preupload":
                files = [file["path"] for file in json.loads(data)["files"]]
                modes = {path: "lfs" if path.endswith(".safetensors") else "regular" for path in files}
                told = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]
                return self.answer(200, {"files": told})
            files = {}
            for line in map(json.loads, data.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = hub.large[value["oid"]]
            commit = hub.commit(found[1], files)
            url = f"{hub.address}/{found[1]}/commit/{commit}"
            return self.answer(200, {"commitUrl": url, "commitOid": commit, "success": True})

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            hub.large[hashlib.sha256(data).hexdigest()] = data
            self.answer(200)

    return Handler


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
