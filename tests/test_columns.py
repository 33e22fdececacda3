"""Columns of Arrow over an array's memory: what pyarrow itself makes of it, without pandas."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from millrace.columns import column_of, tensors_of, values_of

# Whether pandas is installed or not: what a process asks for.
WATCHED = """
import sys
asked = set()
class Watch:
    def find_spec(self, name, path=None, target=None):
        asked.add(name)
sys.meta_path.insert(0, Watch())
import numpy as np, millrace
images, labels = np.zeros((20, 1, 8, 8), np.uint8), np.arange(20, dtype=np.uint8) % 10
stream = millrace.stream((images, labels), batch=4, policy={"rotate": 15})
assert len(next(iter(stream.numpy(1)))[0]) == len(next(iter(stream.arrow(1)))) > 0
print(sorted({"pandas", "pyarrow.compute"} & asked))
"""


def test_a_first_batch_does_not_wait_for_pandas() -> None:
    """Nor that of a client: tests/service/client/test_connect.py."""
    done = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.int64, np.float32, np.bool_])
def test_columns_are_those_of_pyarrow(kind: type) -> None:
    values: np.ndarray = (np.arange(23) % 3).astype(kind)
    for some in (values, values[::2], values[:0], values[:8]):
        column = column_of(some)
        column.validate(full=True)
        assert column.equals(pa.array(some))
        assert np.array_equal(values_of(column), some)
    cut = values_of(pa.array(values)[3:17])
    assert np.array_equal(cut, values[3:17])
    assert cut.dtype == kind
    assert not cut.flags.writeable


def test_numbers_are_not_copied() -> None:
    values = np.arange(5, dtype=np.float32)
    seen = values_of(column_of(values))
    assert np.shares_memory(seen, values)
    del values
    assert seen.tolist() == [0, 1, 2, 3, 4]  # the column's memory lives as long as it is seen


def test_tensors_of_a_cut_column() -> None:
    pixels = np.arange(4 * 6, dtype=np.uint8).reshape(4, 1, 2, 3)
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)
    assert np.array_equal(tensors_of(column), column.to_numpy_ndarray())
    assert np.array_equal(tensors_of(column[1:3]), column[1:3].to_numpy_ndarray())


def test_what_is_no_plain_column_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid, match="no nulls, got 1"):
        values_of(pa.array([1, None, 3]))
    # A message is not checked when it is read: bytes where the schema says words.
    sent = pa.record_batch([pa.array([1, 2, 3], pa.uint8())], names=["label"]).serialize()
    read = pa.ipc.read_record_batch(sent, pa.schema([pa.field("label", pa.int64())]))
    with pytest.raises(pa.ArrowInvalid, match="expected memory for 3 of int64"):
        values_of(read.column(0))
