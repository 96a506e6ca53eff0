import pytest

from weft.config import load_experiment
from weft.report.licences import UNKNOWN, find_licence


@pytest.mark.parametrize(
    ("place", "licence"),
    [
        ("simplescaling/s1K", "Apache-2.0"),
        ("simplescaling/s1K-1.1", "MIT"),
        ("https://raw.githubusercontent.com/openai/grade-school-math/3101c7d/x.jsonl", "MIT"),
    ],
)
def test_licences_of_known_places(place, licence):
    assert find_licence(place).split(" (")[0] == licence


def test_the_name_of_a_repository_is_compared_as_a_whole():
    assert find_licence("simplescaling/s1K-2") == UNKNOWN
    assert find_licence("my/data") == UNKNOWN


def test_all_data_of_the_paper_have_a_licence():
    experiment = load_experiment("experiments/paper.yaml")
    places = [file.repo for source in experiment.datasets.values() for file in source.files]
    places += [source.file.url for source in experiment.benchmarks.values()]
    assert UNKNOWN not in map(find_licence, places)
