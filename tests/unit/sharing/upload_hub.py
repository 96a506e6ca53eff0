"""The tests' stand-in for the hub, which also takes uploads: repositories, large files and commits."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field

from tests.support.hub import NEXT_COMMIT, Hub, handler

TOKEN = "hf_secretTokenOfTheTests"


@dataclass
class UploadHub(Hub):
    """Content of the server, and what was uploaded to it.

    Attributes:
        created: the requests that created a repository.
        large: SHA-256 -> content of large files.
        authorization: every Authorization header that came with an API request.
        status: status of the answer to every API request, instead of 200.
    """

    created: list[dict] = field(default_factory=list)
    large: dict[str, bytes] = field(default_factory=dict)
    authorization: set[str | None] = field(default_factory=set)
    status: int = 200


def upload_handler(hub, address):
    """Return a handler with the upload protocol; ``address`` returns the address of the server."""

    class Handler(handler(hub)):
        def body(self):
            if length := self.headers.get("Content-Length"):
                return self.rfile.read(int(length))
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def do_PUT(self):
            content = self.body()
            oid = self.path.rpartition("/")[2]
            assert hashlib.sha256(content).hexdigest() == oid
            hub.large[oid] = content
            self.json({})

        def do_POST(self):
            body = self.body()
            hub.requests.append((self.command, self.path, None))
            hub.authorization.add(self.headers.get("Authorization"))
            if hub.status != 200:
                self.send_response(hub.status)
                self.send_header("X-Error-Message", f"refused {self.headers.get('Authorization')}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
            path = self.path.partition("?")[0]
            if path == "/api/repos/create":
                asked = json.loads(body)
                hub.created.append(asked)
                name = f"{asked['organization']}/{asked['name']}"
                hub.files.setdefault(name, {})
                return self.json({"url": f"{address()}/{name}"})
            if path == "/api/validate-yaml":
                return self.json({"warnings": [], "errors": []})
            if re.fullmatch(r"/api/models/[^/]+/[^/]+/preupload/main", path):
                files = json.loads(body)["files"]
                modes = {True: "lfs", False: "regular"}
                return self.json(
                    {
                        "files": [
                            {
                                "path": file["path"],
                                "uploadMode": modes[file["path"].endswith(".safetensors")],
                                "shouldIgnore": False,
                            }
                            for file in files
                        ]
                    }
                )
            if path.endswith(".git/info/lfs/objects/batch"):
                objects = json.loads(body)["objects"]
                return self.json(
                    {
                        "transfer": "basic",
                        "objects": [
                            item | {"actions": {"upload": {"href": f"{address()}/large/{item['oid']}"}}}
                            for item in objects
                        ],
                    }
                )
            match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path)
            assert match, path
            for line in body.decode().splitlines():
                entry = json.loads(line)
                value = entry["value"]
                if entry["key"] == "file":
                    self.store(match[1], value["path"], base64.b64decode(value["content"]))
                elif entry["key"] == "lfsFile":
                    self.store(match[1], value["path"], hub.large[value["oid"]])
            return self.json(
                {
                    "success": True,
                    "commitOid": NEXT_COMMIT,
                    "commitUrl": f"{address()}/{match[1]}/commit/{NEXT_COMMIT}",
                }
            )

        def store(self, repo, path, content):
            hub.put(repo, path, content, commit=NEXT_COMMIT)

    return Handler
