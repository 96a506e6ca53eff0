import pytest
from typer.testing import CliRunner

from weft.cli import app
from weft.cli.run import snakemake_arguments
from weft.config.places import CHECKOUT

SNAKEFILE = ["--snakefile", str(CHECKOUT / "Snakefile")]
TINY = "experiment=tiny"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["--cores", "all", "--config", TINY]),
        (["figures", "-n"], ["--cores", "all", "figures", "-n", "--config", TINY]),
        (["--cores", "2"], ["--cores", "2", "--config", TINY]),
        (["-c2"], ["-c2", "--config", TINY]),
        (["--jobs=5"], ["--jobs=5", "--config", TINY]),
        (["--config", "device=cpu", "-n"], ["--cores", "all", "--config", TINY, "device=cpu", "-n"]),
        (["--profile", "mine"], ["--profile", "mine", "--config", TINY]),
    ],
    ids=" ".join,
)
def test_options_of_snakemake_are_handed_on(given, expected):
    assert snakemake_arguments("tiny", given) == [*SNAKEFILE, *expected]


def test_a_shipped_profile_is_found_from_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ["--workflow-profile", "profiles/slurm"]
    shipped = ["--workflow-profile", str(CHECKOUT / "profiles/slurm"), "--config", TINY]
    assert snakemake_arguments("tiny", given) == [*SNAKEFILE, *shipped]
    (tmp_path / "profiles/slurm").mkdir(parents=True)
    assert snakemake_arguments("tiny", given) == [*SNAKEFILE, *given, "--config", TINY]


def test_an_unknown_experiment_is_an_error_before_snakemake_starts():
    result = CliRunner().invoke(app, ["run", "nothing", "-n"])
    assert "one of ['ablations'," in str(result.exception)


def test_options_before_the_experiment_are_an_error():
    result = CliRunner().invoke(app, ["run", "-n", "tiny"])
    assert result.exit_code == 2
    assert "the experiment comes before the options" in result.output
