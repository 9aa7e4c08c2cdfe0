"""A loopback server that speaks the part of the Hugging Face hub's HTTP API that `datasets` and `transformers` use.

It serves folders as repositories: `hub.add("datasets", "abisee/cnn_dailymail", folder)`, then a process started with
`hub.environment(home)` finds them under `HF_ENDPOINT`. What the hub would not know gets the hub's 404.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


class Hub:
    """The server, started on entering the `with` block and stopped for good by `stop` or on leaving it."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], dict[str, Path]] = {}
        self.requests: list[str] = []
        hub = self

        class Handler(_Handler):
            def __init__(self, *args):
                self.hub = hub
                super().__init__(*args)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, kind: str, name: str, folder: Path, revision: str = "main") -> None:
        """Serve a folder as the `models` or `datasets` repository `name` at a revision."""
        self.repositories.setdefault((kind, name), {})[revision] = Path(folder)

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """Environment of a fresh process that knows this hub and nothing else; HF libraries read it on import."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        return (
            kept
            | {
                "HF_ENDPOINT": self.url,
                "HF_HOME": str(home / "hf"),
                "LASTMILE_CACHE": str(home / "lastmile"),
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "OMP_NUM_THREADS": "1",
            }
            | more
        )


def commit(folder: Path, revision: str) -> str:
    """A 40-digit commit id that changes with the content."""
    digest = hashlib.sha1(revision.encode())
    for file in _files(folder):
        digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        parsed = json.loads(body) if body.startswith("{") else parse_qs(body)
        self._route(parsed.get("paths", []))

    def do_GET(self) -> None:
        self._route([])

    def _route(self, paths: list[str]) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        parts = urlsplit(self.path).path.strip("/").split("/")
        api = parts[0] == "api"
        parts = parts[1:] if api else parts
        kind = parts.pop(0) if parts and parts[0] in ("models", "datasets") else "models"
        name = "/".join(parts[:2])
        revisions = self.hub.repositories.get((kind, name))
        if revisions is None:
            self._missing("RepoNotFound")
            return
        action = parts[2] if len(parts) > 2 else "info"
        revision = unquote(parts[3]) if len(parts) > 3 else "main"
        place = unquote("/".join(parts[4:]))
        by_commit = {commit(folder, name): folder for name, folder in revisions.items()}
        folder = revisions.get(revision) or by_commit.get(revision)
        if folder is None:
            self._missing("RevisionNotFound")
            return
        sha = next(sha for sha, served in by_commit.items() if served == folder)
        if action == "resolve" and not api:
            self._file(folder, folder / place, sha)
        elif action in ("info", "revision"):
            files = [{"rfilename": file.relative_to(folder).as_posix()} for file in _files(folder)]
            self._json({"id": name, "sha": sha, "private": False, "gated": False, "tags": [], "siblings": files})
        elif action == "tree":
            self._tree(folder, folder / place)
        elif action == "paths-info":
            found = [folder / path for path in paths if (folder / path).exists()]
            self._json([_entry(folder, path) for path in found])
        else:
            self._missing("EntryNotFound")

    def _tree(self, folder: Path, below: Path) -> None:
        recursive = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() in ("true", "1")
        if not below.is_dir():
            self._missing("EntryNotFound")
            return
        found = sorted(below.rglob("*") if recursive else below.iterdir())
        self._json([_entry(folder, path) for path in found])

    def _file(self, folder: Path, file: Path, sha: str) -> None:
        if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
            self._missing("EntryNotFound", sha)
            return
        data = file.read_bytes()
        start, status = 0, HTTPStatus.OK
        if (wanted := self.headers.get("Range", "")).startswith("bytes="):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, status = int(first), HTTPStatus.PARTIAL_CONTENT
            piece = data[start : int(last) + 1 if last else len(data)]
        else:
            piece = data
        headers = {"ETag": f'"{_oid(file)}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if status == HTTPStatus.PARTIAL_CONTENT:
            headers["Content-Range"] = f"bytes {start}-{start + len(piece) - 1}/{len(data)}"
        self._answer(status, piece, "application/octet-stream", headers)

    def _json(self, value: object) -> None:
        self._answer(HTTPStatus.OK, json.dumps(value).encode(), "application/json", {})

    def _missing(self, code: str, sha: str | None = None) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": code} | ({"X-Repo-Commit": sha} if sha else {})
        self._answer(HTTPStatus.NOT_FOUND, json.dumps({"error": code}).encode(), "application/json", headers)

    def _answer(self, status: HTTPStatus, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _entry(folder: Path, path: Path) -> dict:
    place = path.relative_to(folder).as_posix()
    if path.is_dir():
        return {"type": "directory", "path": place, "oid": hashlib.sha1(place.encode()).hexdigest(), "size": 0}
    return {"type": "file", "path": place, "oid": _oid(path), "size": path.stat().st_size}


def _oid(file: Path) -> str:
    """Git's id of a blob, which the hub gives as etag of small files."""
    data = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
