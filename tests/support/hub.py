"""A local server with the file protocol of the hub, whose failures can be chosen.

It answers the requests of the hub's client: metadata by HEAD, content by GET with ranges, and revisions and
file trees by the API. Like the hub, it can send large files by a redirect to a storage address, with their
SHA-256 as ETag, and small ones itself, with the SHA-1 that Git gives them. Below ``/mirror/`` it serves files
that are not on the hub.
"""

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import huggingface_hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NEXT_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"


@dataclass
class Hub:
    """Content of the server, its planned failures, and the requests that it has received.

    Attributes:
        files: "datasets/owner/name" or "owner/name" -> commit -> path -> content.
        branches: the same names -> commit of ``main``.
        promised: path -> wrong SHA-256 that the server sends.
        cut_after: numbers of bytes after which the next bodies are cut off; one entry per request.
        requests: (method, path, Range header) of every request.
        stored_from: size in bytes from which files have a storage address; None for no such address.
        broken: paths in the repositories for which the server fails (status 500).
        mirror: path below ``/mirror/`` -> content.
        stalled: paths in the repositories whose content the server does not send before the event.
        lies: header, or ``sha`` in answers of the API -> wrong value that the server sends.
    """

    files: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    promised: dict[str, str] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    stored_from: int | None = None
    broken: set[str] = field(default_factory=set)
    mirror: dict[str, bytes] = field(default_factory=dict)
    stalled: dict[str, threading.Event] = field(default_factory=dict)
    lies: dict[str, str] = field(default_factory=dict)

    def put(self, repo, path, content, *, commit=COMMIT, moves_main=True):
        commits = self.files.setdefault(repo, {})
        commits.setdefault(commit, {})[path] = content
        if moves_main:
            self.branches[repo] = commit

    def commit(self, repo, revision):
        return self.branches.get(repo) if revision == "main" else revision

    def fetched(self, name):
        """Return the Range headers of the GET requests for files whose path ends with ``name``."""
        return [
            range_
            for method, path, range_ in self.requests
            if method == "GET" and re.search("/resolve/|/storage/", path) and path.endswith(name)
        ]

    def has_address(self, content):
        """Return True for a file that is sent by a redirect to its storage address."""
        return self.stored_from is not None and len(content) >= self.stored_from

    def etag(self, content, name):
        """Return the hash that the client takes for the content of a file."""
        if self.stored_from is None or self.has_address(content):
            return self.promised.get(name, hashlib.sha256(content).hexdigest())
        return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()

    def stored(self, sha256, name):
        """Return the content of a storage address, or None."""
        contents = (
            files[name] for commits in self.files.values() for files in commits.values() if name in files
        )
        return next((data for data in contents if hashlib.sha256(data).hexdigest() == sha256), None)


@contextmanager
def serve(hub: Hub) -> Iterator[str]:
    """Serve a hub on a free port of this machine, and yield its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(hub)) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()


def point_client(monkeypatch, address, cache, *, is_offline=False):
    """Point the hub's client, which has read its environment already, to a server and to a cache."""
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    values = {
        "ENDPOINT": address,
        "HUGGINGFACE_CO_URL_TEMPLATE": template,
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": is_offline,
        "HF_HUB_DISABLE_XET": True,
    }
    for name, value in values.items():
        monkeypatch.setattr(huggingface_hub.constants, name, value)


def handler(hub):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.answer(with_body=False)

        def do_GET(self):
            self.answer(with_body=True)

        def send_header(self, keyword, value):
            super().send_header(keyword, hub.lies.get(keyword, value))

        def answer(self, *, with_body):
            hub.requests.append((self.command, self.path, self.headers.get("Range")))
            path = self.path.partition("?")[0]
            if match := re.fullmatch(
                r"/api/(?:models|(datasets))/([^/]+/[^/]+)/(revision|tree)/([^/]+)", path
            ):
                kind, repo, what, revision = match.groups()
                return self.describe(f"datasets/{repo}" if kind else repo, what, revision)
            if match := re.fullmatch(r"/mirror/(.+)", path):
                content = hub.mirror.get(match[1])
                if content is None:
                    return self.refuse("EntryNotFound", "Not found")
                return self.send(content, match[1], None, with_body=with_body)
            if match := re.fullmatch(r"/storage/([0-9a-f]{64})/(.+)", path):
                content = hub.stored(*match.groups())
                if content is None:
                    return self.refuse("EntryNotFound", "Not found")
                return self.send(content, match[2], None, with_body=with_body)
            match = re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
            if not match or match[1] not in hub.files:
                return self.refuse("RepoNotFound", "Repository not found")
            repo, revision, name = match.groups()
            commit = hub.commit(repo, revision)
            if commit not in hub.files[repo]:
                return self.refuse("RevisionNotFound", f"Invalid rev id: {revision}")
            if name not in hub.files[repo][commit]:
                return self.refuse("EntryNotFound", "Entry not found", commit=commit)
            content = hub.files[repo][commit][name]
            if name in hub.broken:
                return self.refuse("ServerError", "The storage failed", status=500)
            if hub.has_address(content):
                return self.redirect(content, name, commit)
            return self.send(content, name, commit, with_body=with_body)

        def redirect(self, content, name, commit):
            self.send_response(302)
            self.send_header("X-Repo-Commit", commit)
            self.send_header("X-Linked-ETag", f'"{hub.etag(content, name)}"')
            self.send_header("X-Linked-Size", str(len(content)))
            port = self.headers["Host"].rpartition(":")[2]
            place = f"storage/{hashlib.sha256(content).hexdigest()}/{name}"
            self.send_header("Location", f"http://localhost:{port}/{place}")  # another host, as on the hub
            self.send_header("Content-Length", "0")
            self.end_headers()

        def send(self, content, name, commit, *, with_body):
            start = int(re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "bytes=0-")[1])
            self.send_response(206 if start else 200)
            if commit is not None:  # not from a storage address
                self.send_header("X-Repo-Commit", commit)
            self.send_header("ETag", f'"{hub.etag(content, name)}"')
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if not with_body:
                return
            if name in hub.stalled:
                hub.stalled[name].wait()
            end = len(content)
            if hub.cut_after:
                end = min(end, start + hub.cut_after.pop(0))
            self.wfile.write(content[start:end])
            if end < len(content):
                self.wfile.flush()
                self.close_connection = True

        def describe(self, repo, what, revision):
            commit = hub.commit(repo, revision)
            if repo not in hub.files:
                return self.refuse("RepoNotFound", "Repository not found")
            if commit not in hub.files[repo]:
                return self.refuse("RevisionNotFound", f"Invalid rev id: {revision}")
            files = hub.files[repo][commit]
            if what == "revision":
                return self.json(
                    {
                        "id": repo,
                        "sha": hub.lies.get("sha", commit),
                        "siblings": [{"rfilename": name} for name in files],
                    }
                )
            return self.json(
                [
                    {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for name, data in files.items()
                ]
            )

        def json(self, value):
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def refuse(self, code, message, *, commit=None, status=404):
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", message)
            if commit:
                self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler
