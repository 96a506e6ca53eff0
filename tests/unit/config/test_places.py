import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest

from weft.config import load_experiment, places
from weft.config.places import (
    CHECKOUT,
    as_written,
    find_path,
    in_one_spelling,
    require_writable_records,
    run_jobs_from_checkout,
)
from weft.config.stages import stage_settings
from weft.errors import ConfigError


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_checkout_is_the_folder_with_the_package():
    assert (CHECKOUT / "weft/__init__.py").is_file()


def test_a_shipped_file_is_found_from_every_directory(elsewhere):
    shipped = Path("examples/custom_benchmark.py")
    assert find_path(shipped) == CHECKOUT / shipped
    shipped.parent.mkdir()
    shipped.write_text("")
    assert find_path(str(shipped)) == shipped  # the working directory comes first


def test_a_path_that_exists_nowhere_stays_as_it_is(elsewhere):
    assert find_path("nowhere/x.jsonl") == Path("nowhere/x.jsonl")
    assert find_path("/nowhere/x.jsonl") == Path("/nowhere/x.jsonl")


def test_a_tilde_is_the_home_directory(elsewhere, monkeypatch):
    monkeypatch.setenv("HOME", str(elsewhere / "home"))
    assert find_path("~/x.jsonl") == elsewhere / "home/x.jsonl"
    assert find_path("~no-such-user/x.jsonl") == Path("~no-such-user/x.jsonl")


def test_a_path_has_one_spelling(elsewhere):
    spellings = ["a/b.yaml", "./a//b.yaml", "a/../a/b.yaml", elsewhere / "a/b.yaml"]
    assert {in_one_spelling(Path(path)) for path in spellings} == {Path("a/b.yaml")}
    assert in_one_spelling(Path("../b.yaml")) == elsewhere.parent / "b.yaml"


def test_a_link_to_the_working_directory_is_another_spelling_of_it(elsewhere, monkeypatch):
    (elsewhere / "real").mkdir()
    (elsewhere / "link").symlink_to("real")
    monkeypatch.chdir(elsewhere / "real")
    assert in_one_spelling(elsewhere / "link/a/b.yaml") == Path("a/b.yaml")
    (elsewhere / "real/own").symlink_to(elsewhere)
    assert in_one_spelling(Path("own/b.yaml")) == Path("own/b.yaml"), "links below it are kept"


@pytest.mark.parametrize("before", ["", "/some/folder"])
def test_jobs_import_the_package_of_the_checkout(monkeypatch, before):
    monkeypatch.setenv("PYTHONPATH", before)
    run_jobs_from_checkout()
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(CHECKOUT), *filter(None, [before])]


def test_jobs_of_an_installed_package_import_it_without_its_neighbours(elsewhere, monkeypatch):
    package = elsewhere / "site-packages/weft"
    (package / "shipped").mkdir(parents=True)
    (package.parent / "numpy").mkdir()
    monkeypatch.setattr(places, "PACKAGE", package)
    for name in ("CHECKOUT", "SHIPPED_FILES"):
        monkeypatch.setattr(places, name, package / "shipped")
    for _ in range(2):  # an earlier run has made the link
        monkeypatch.setenv("PYTHONPATH", "")
        run_jobs_from_checkout()
        folder = Path(os.environ["PYTHONPATH"])
        assert [path.name for path in folder.iterdir()] == ["weft"]
        assert (folder / "weft").resolve() == package
    moved = package.rename(elsewhere / "weft")
    monkeypatch.setattr(places, "PACKAGE", moved)
    run_jobs_from_checkout()
    assert (folder / "weft").resolve() == moved


TINY = CHECKOUT / "experiments/tiny.yaml"


@pytest.fixture
def own_experiment(elsewhere):
    """An experiment with a data file beside it, in a folder below the working directory."""
    (elsewhere / "study").mkdir()
    file = elsewhere / "study/mine.yaml"
    file.write_text(
        f"extends: {os.path.relpath(TINY, file.parent)}\nname: mine\n"
        "datasets:\n  mine: {source: jsonl, path: my/train.jsonl}\n"
    )
    (elsewhere / "study/my").mkdir()
    (elsewhere / "study/my/train.jsonl").write_text("{}")
    return Path("study/mine.yaml")


def dataset_path(file):
    (path,) = load_experiment(file).datasets["mine"].path
    return path


def test_a_path_in_an_experiment_is_looked_up_beside_its_file_first(own_experiment):
    assert find_path(dataset_path(own_experiment)) == Path("study/my/train.jsonl")
    Path("my").mkdir()
    Path("my/train.jsonl").touch()
    assert find_path(dataset_path(own_experiment)) == Path("study/my/train.jsonl")
    Path("study/my/train.jsonl").unlink()
    assert find_path(dataset_path(own_experiment)) == Path("my/train.jsonl")


def test_a_file_beside_the_extended_experiment_is_found(own_experiment):
    Path("other").mkdir()
    extending = Path("other/more.yaml")
    extending.write_text("extends: ../study/base.yaml\nname: more\n")
    Path("study/base.yaml").write_text(TINY.read_text().replace("shipped: experiments/", "shipped: my/"))
    assert load_experiment(extending).base_model.shipped == "my/tiny-base"
    Path("study/my/tiny-base").mkdir()
    assert load_experiment(extending).base_model.shipped == "study/my/tiny-base"


@pytest.mark.parametrize("path", ["/nowhere/x.jsonl", "~/x.jsonl", "x" * 5000])
def test_other_paths_of_an_experiment_stay_as_they_are(own_experiment, path):
    file = Path(own_experiment)
    file.write_text(file.read_text().replace("my/train.jsonl", repr(path).replace("'", '"')))
    assert dataset_path(file) == path


def test_the_settings_have_the_path_as_it_is_written_whatever_the_spelling_of_the_file(own_experiment):
    spellings = [own_experiment, own_experiment.resolve(), Path("study/../study/mine.yaml")]
    experiments = [load_experiment(file) for file in spellings]
    for experiment in experiments:
        assert experiment == experiments[0]
        assert experiment.model_dump(mode="json")["datasets"]["mine"]["path"] == ["my/train.jsonl"]
        assert stage_settings(experiment, "examples", {"dataset": "mine"})["path"] == ["my/train.jsonl"]
        (path,) = copy.deepcopy(experiment).datasets["mine"].path
        assert (path, as_written(path)) == ("study/my/train.jsonl", "my/train.jsonl")
    assert as_written("other.jsonl") == "other.jsonl"


@pytest.mark.parametrize("what", ["folder", "records", "locks"])
def test_records_of_snakemake_that_cannot_be_written_are_named(tmp_path, monkeypatch, what):
    names = {"folder": ".", "records": ".snakemake", "locks": ".snakemake/locks"}
    closed = tmp_path / names[what]
    closed.mkdir(parents=True, exist_ok=True)
    require_writable_records(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed)  # root may write everywhere
    with pytest.raises(ConfigError, match=f"{closed} must be a folder that you may write.* the user"):
        require_writable_records(tmp_path)


def test_a_folder_that_belongs_to_another_user_is_refused_with_one_sentence(tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root can act as another user")
    tmp_path.chmod(0o755)
    code = f"os.setuid(65534)\nrequire_writable_records(Path({str(tmp_path)!r}))"
    imports = "import os\nfrom pathlib import Path\nfrom weft.config.places import require_writable_records\n"
    result = subprocess.run(
        [sys.executable, "-c", imports + code], capture_output=True, text=True, check=False
    )
    assert "ConfigError: " in result.stderr
    assert "must be a folder that you may write, because Snakemake keeps its records there" in result.stderr
