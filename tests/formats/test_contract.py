"""Every format, held to one contract."""

import pyarrow as pa
import pytest

from millrace.errors import UsageError
from millrace.formats import FORMATS
from millrace.formats.shards import decode
from tests.formats.contract import check_format, info_of, of_many_classes, some_rows


@pytest.mark.parametrize("name", FORMATS)
def test_the_contract(name: str) -> None:
    check_format(name, [some_rows(16, channels, originals) for channels in (1, 3) for originals in (False, True)])


@pytest.mark.parametrize("name", FORMATS)
def test_the_contract_with_300_classes(name: str) -> None:
    check_format(name, [of_many_classes(some_rows())])


def test_an_unknown_format_has_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean 'npz'"):
        decode("npy", pa.py_buffer(b""), info_of(some_rows()), lambda name: b"", "it")
