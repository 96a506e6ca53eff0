import pytest
from pydantic import TypeAdapter, ValidationError

from weft.config.models import EvaluatedLocalModel, EvaluatedModel
from weft.config.sources import HubModel, LocalModel

ADAPTER = {"source": "path", "path": "results/x/runs/y"}
HUB = {"source": "hub", "repo": "owner/name", "revision": "main"}
read = TypeAdapter(EvaluatedModel).validate_python


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (None, None),
        ("llada", "llada"),
        (HUB, HubModel(**HUB)),
        (ADAPTER, LocalModel(**ADAPTER)),
        (LocalModel(**ADAPTER), LocalModel(**ADAPTER)),
    ],
)
def test_a_base_is_a_name_or_a_source(base, expected):
    model = read(ADAPTER | {"base": base})
    assert isinstance(model, EvaluatedLocalModel)
    assert model.base == expected
    assert read(model.model_dump()) == model


@pytest.mark.parametrize(
    "base", [3, {}, {"source": "scratch"}, HUB | {"base": "llada"}, ADAPTER | {"repo": "a/b"}]
)
def test_anything_else_is_no_base(base):
    with pytest.raises(ValidationError):
        read(ADAPTER | {"base": base})
