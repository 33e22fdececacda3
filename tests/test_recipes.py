"""The recipes are configurations that this version takes."""

from pathlib import Path

import pytest

from millrace import datasets
from millrace.settings import layers

FOLDER = Path(__file__).parents[1] / "recipes"


@pytest.mark.parametrize("file", sorted(path.name for path in FOLDER.glob("*.yaml")))
def test_a_recipe_is_a_configuration_of_a_known_dataset(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILLRACE_DATASET", raising=False)
    assert layers.resolve(str(FOLDER / file), {}).job.dataset in datasets.registry()
