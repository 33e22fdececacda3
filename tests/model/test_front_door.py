"""The package's front door opens every name it announces."""

import pytest

from millrace import model


def test_every_announced_name_loads() -> None:
    assert sorted(model._HOMES) == sorted(model.__all__) == dir(model)
    for name in model.__all__:
        assert getattr(model, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="netwrok"):
        model.netwrok  # noqa: B018
