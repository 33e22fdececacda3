"""NumPy's npz: a zip of one array per column, deflated, with a fixed time, and without a pickle."""

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from millrace.datasets.exported import PARAMETERS, Rows
from millrace.pipeline.export.formats import Files
from millrace.pipeline.export.formats.columns import BITS
from millrace.pipeline.export.plan import Plan, Shard

TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say
LEVEL = 1


def encode(rows: Rows, plan: Plan, shard: Shard) -> tuple[Sequence[Any], Files]:
    """The shard as one npz file."""
    columns: dict[str, Any] = {"images": rows.images, "labels": rows.labels}
    columns |= {"samples": rows.samples, "epochs": rows.epochs}
    for name, values in zip(PARAMETERS, rows.parameters.T, strict=True):
        columns[name] = values != 0.0 if name == BITS else values
    columns["classes"] = np.array(plan.classes)
    if rows.originals is not None:
        columns["originals"] = rows.originals
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, values in columns.items():
            info = zipfile.ZipInfo(f"{name}.npy", TIME)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(info, _npy(np.ascontiguousarray(values)), compresslevel=LEVEL)
    return [sink.getvalue()], []


def _npy(values: Any) -> bytes:
    sink = io.BytesIO()
    np.lib.format.write_array(sink, values, version=(1, 0), allow_pickle=False)
    return sink.getvalue()
