"""Check an archive of `weft archive` by the public validator of RO-Crates, without a network.

The command ``rocrate-validator`` must be installed beside the Python that runs this script, which imports
only packages that the validator brings. The validator's package ships the shapes of the profiles. The two
JSON-LD contexts of the archive, which it would fetch, are put into its cache first: each term that the
metadata use, with the IRI that RO-Crate 1.1 gives to it.

    python tools/check_archive.py tiny.crate.zip
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import requests
import requests_cache
import urllib3
from requests.adapters import BaseAdapter

PROFILE = "workflow-run-crate-0.5"
METADATA = "ro-crate-metadata.json"
SCHEMA = "http://schema.org/"
CONTEXTS = {
    # https://www.researchobject.org/ro-crate/specification/1.1/context.jsonld; all other terms are SCHEMA's.
    "https://w3id.org/ro/crate/1.1/context": {
        "File": f"{SCHEMA}MediaObject",
        "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
        "FormalParameter": "https://bioschemas.org/FormalParameter",
        "input": "https://bioschemas.org/ComputationalWorkflow#input",
        "output": "https://bioschemas.org/ComputationalWorkflow#output",
        "conformsTo": "http://purl.org/dc/terms/conformsTo",
        "schema": SCHEMA,
    },
    # https://github.com/ResearchObject/ro-terms/tree/master/workflow-run
    "https://w3id.org/ro/terms/workflow-run/context": {
        "sha256": "https://w3id.org/ro/terms/workflow-run#sha256"
    },
}


class _Stored(BaseAdapter):
    """Answers a request for a context from `CONTEXTS`."""

    def __init__(self, terms: set[str]) -> None:
        super().__init__()
        self.terms = terms

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Return the context of an address."""
        special = CONTEXTS[str(request.url)]
        plain = {term: f"{SCHEMA}{term}" for term in sorted(self.terms)} if "schema" in special else {}
        response = requests.Response()
        response.status_code, response.url, response.request = 200, str(request.url), request
        response.headers["Content-Type"] = "application/ld+json"
        response.raw = urllib3.HTTPResponse(
            body=io.BytesIO(json.dumps({"@context": plain | special}).encode()),
            status=200,
            headers={"Content-Type": "application/ld+json"},
            preload_content=False,
            request_url=request.url,
        )
        return response

    def close(self) -> None:
        """Do nothing: there is no connection."""


def store_contexts(metadata: dict[str, Any], cache: Path) -> None:
    """Put the contexts of the metadata into a cache of the validator."""
    terms = set()
    for entity in metadata["@graph"]:
        kinds = entity["@type"]
        terms |= {*entity, *([kinds] if isinstance(kinds, str) else kinds)} - {"@id", "@type"}
    with requests_cache.CachedSession(str(cache), expire_after=-1) as session:
        session.mount("https://w3id.org/", _Stored(terms))
        for address in metadata["@context"]:
            session.get(address)


def validate(folder: Path, cache: Path, report: Path) -> dict[str, Any]:
    """Run the validator on an unpacked archive, recommendations included, and return its report."""
    program = Path(sys.executable).with_name("rocrate-validator")
    command = [str(program), "--no-interactive", "validate", "--offline", "--cache-path", str(cache)]
    command += ["-p", PROFILE, "-l", "recommended", "-f", "json", "-o", str(report), str(folder)]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    result: dict[str, Any] = json.loads(report.read_text())
    return result


def main() -> None:
    """Check an archive; exit with code 1 if a requirement is not met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("archive", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "crate"
        with zipfile.ZipFile(arguments.archive) as archive:
            archive.extractall(folder)
        cache = Path(temporary) / "contexts"
        store_contexts(json.loads((folder / METADATA).read_text()), cache)
        report = validate(folder, cache, Path(temporary) / "report.json")
    issues = Counter((issue["severity"], issue["message"]) for issue in report["issues"])
    for (severity, message), number in sorted(issues.items()):
        print(f"{severity.lower()}: {message}{f' ({number} times)' if number > 1 else ''}")
    failed = [severity for severity, _ in issues if severity == "REQUIRED"]
    total = report["statistics"]["total_checks"]
    print(f"{total} checks of {PROFILE}: {'requirements not met' if failed else 'all requirements are met'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
