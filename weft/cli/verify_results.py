"""``weft verify``: verify the results of an experiment."""

import json
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import app
from weft.records.verification import Verification


@app.command()
def verify(
    root: Annotated[Path, typer.Argument(help="Results folder of an experiment, or a copy of it.")],
    is_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Verify results by their provenance: digests, inputs, counts, verdicts, origins (docs/provenance.md)."""
    from weft.audit import verify_results

    outcome = verify_results(root)
    typer.echo(json.dumps(outcome.as_object(), indent=1) if is_json else describe_outcome(outcome))
    if not outcome.holds:
        raise typer.Exit(1)


def describe_outcome(outcome: Verification) -> str:
    """Return the outcome as text: a table with a row for each kind of result, and the findings."""
    width = max(map(len, outcome.kinds), default=0) + 2
    lines = [f"{'results of':{width}}{'number':>8}{'checks':>8}{'hold':>8}{'fail':>8}{'missing':>9}"]
    lines += [
        f"{kind:{width}}{row.num_results:8}{row.num_checks:8}{row.num_checks - row.num_failed:8}"
        f"{row.num_failed:8}{row.num_missing:9}"
        for kind, row in outcome.kinds.items()
    ]
    lines += [
        f"{finding.status.upper():8} {finding.result + ': ' if finding.result else ''}{finding.text}"
        for finding in outcome.findings
    ]
    summary = f"{outcome.num_results} results of {outcome.experiment}, {outcome.num_checks} checks: "
    summary += (
        "all hold"
        if outcome.holds
        else f"{outcome.count('fails')} do not hold, {outcome.count('missing')} files are missing"
    )
    return "\n".join([*lines, summary])
