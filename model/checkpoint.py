"""A checkpoint: one moment of a run as three files, each with a digest, and one digest over all.

Nothing is ever unpickled: arrays are safetensors, the rest is JSON. The JSON text has one form only, so a
changed byte anywhere is found. Writing and reading folders is in `model.checkpoint_folder`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as decode_tensors
from safetensors.numpy import save as encode_tensors

from millrace.errors import CheckpointError, MismatchError, UsageError
from millrace.model.inputs import Inputs
from millrace.model.layout import Floats
from millrace.model.updates import served

FORMAT = 1
CHECKPOINT_DOCUMENT = "checkpoint.json"
WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
CHECKPOINT_FILES = (CHECKPOINT_DOCUMENT, OPTIMIZER, WEIGHTS)
AGAIN = "use another checkpoint of the run, or train again"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """All that is needed to go on as if nothing had happened.

    step: updates made so far. weights: float32 (n,), θ itself, not the published view. optimizer: the optimizer's
    state, arrays like the weights. config, state: JSON-able (lists for tuples when read back). dataset_digest: of the
    training data. model: `Network.text`. inputs: the normalisation. fingerprint: `environment.fingerprint()`.
    data: name, shape, classes and prepare of the dataset (`DatasetSpec.described`); empty in earlier versions.
    """

    step: int
    weights: Floats
    optimizer: dict[str, Floats]
    config: dict[str, Any]
    dataset_digest: str
    model: str
    inputs: Inputs
    fingerprint: dict[str, str]
    state: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def served(self) -> Floats:
        """The weights to evaluate, export and use: their running average where the run keeps one, else θ."""
        return served(self.weights, self.optimizer)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _text(document: Mapping[str, Any]) -> bytes:
    """The one form in which a document is written."""
    return (json.dumps(document, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def to_files(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The files of a checkpoint by name; the same checkpoint gives the same bytes.

    CheckpointError where configuration or state cannot be written as JSON.
    """
    files = {
        WEIGHTS: encode_tensors({"weights": np.ascontiguousarray(checkpoint.weights)}),
        OPTIMIZER: encode_tensors({k: np.ascontiguousarray(v) for k, v in checkpoint.optimizer.items()}),
    }
    document = {
        "format": FORMAT,
        "step": checkpoint.step,
        "model": checkpoint.model,
        "dataset_digest": checkpoint.dataset_digest,
        "inputs": {"mean": list(checkpoint.inputs.mean), "std": list(checkpoint.inputs.std)},
        "config": checkpoint.config,
        "state": checkpoint.state,
        "fingerprint": checkpoint.fingerprint,
        "data": checkpoint.data,
        "files": {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in files.items()},
    }
    try:
        document["digest"] = _sha256(_text(document))
        return {**files, CHECKPOINT_DOCUMENT: _text(document)}
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            "the checkpoint cannot be written", expected="configuration and state as JSON", got=error
        ) from error


def from_files(
    files: Mapping[str, bytes], *, dataset_digest: str | None = None, model: str | None = None
) -> Checkpoint:
    """The checkpoint in these files, verified; CheckpointError says what is wrong with it, MismatchError that it is
    whole but belongs to something else.

    dataset_digest, model: what the checkpoint must belong to; None does not ask. The fingerprint is not
    compared: `environment.differences` says what to announce.
    """
    if set(files) != set(CHECKPOINT_FILES):
        raise CheckpointError(
            "the checkpoint does not have the files it should",
            expected=", ".join(CHECKPOINT_FILES),
            got=", ".join(sorted(files)) or "none",
            do=AGAIN,
        )
    document = _document(files[CHECKPOINT_DOCUMENT])
    for name, seen in document["files"].items():
        got = {"bytes": len(files[name]), "sha256": _sha256(files[name])}
        if got != seen:
            raise _damaged(name, f"{seen['bytes']} bytes, sha256 {seen['sha256']}", _size_and_digest(got))
    checkpoint = _checkpoint(document, files)
    for what, wanted, found in (
        ("another dataset", dataset_digest, document["dataset_digest"]),
        ("another model", model, document["model"]),
    ):
        if wanted is not None and wanted != found:
            raise MismatchError(f"the checkpoint belongs to {what}", expected=wanted, got=found)
    return checkpoint


def _size_and_digest(entry: Mapping[str, object]) -> str:
    return f"{entry['bytes']} bytes, sha256 {entry['sha256']}"


def _damaged(name: str, expected: object, got: object) -> CheckpointError:
    return CheckpointError(f"the checkpoint is damaged: {name}", expected=expected, got=got, do=AGAIN)


def _document(data: bytes) -> dict[str, Any]:
    """checkpoint.json, once it is what its own digest says and has the fields of this format."""
    try:
        document = json.loads(data.decode())
        form = document.pop("format")
        digest = document.pop("digest")
        written = {**document, "format": form}
        good = _sha256(_text(written)) == digest and _text({**written, "digest": digest}) == data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(
            CHECKPOINT_DOCUMENT, "a document with format and digest", f"{len(data)} bytes, {error!r}"
        ) from error
    if not good:
        raise _damaged(CHECKPOINT_DOCUMENT, f"content of digest {digest}", "another digest")
    if form != FORMAT:
        raise CheckpointError(
            "the checkpoint has another format",
            expected=FORMAT,
            got=form,
            do="use the version of Millrace that wrote it",
        )
    document.setdefault("data", {})  # earlier versions wrote none
    if set(document) != set(_KINDS) or not all(type(document[k]) is kind for k, kind in _KINDS.items()):
        raise _damaged(CHECKPOINT_DOCUMENT, f"the fields {', '.join(sorted(_KINDS))}", ", ".join(sorted(document)))
    names = set(CHECKPOINT_FILES) - {CHECKPOINT_DOCUMENT}
    if set(document["files"]) != names or not all(_is_entry(entry) for entry in document["files"].values()):
        raise _damaged(CHECKPOINT_DOCUMENT, f"size and sha256 of {', '.join(sorted(names))}", document["files"])
    return dict(document)


_KINDS: dict[str, type] = {
    "step": int,
    "model": str,
    "dataset_digest": str,
    "inputs": dict,
    "config": dict,
    "state": dict,
    "fingerprint": dict,
    "data": dict,
    "files": dict,
}


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and set(entry) == {"bytes", "sha256"}


def _checkpoint(document: dict[str, Any], files: Mapping[str, bytes]) -> Checkpoint:
    weights = _tensors(WEIGHTS, files[WEIGHTS])
    optimizer = _tensors(OPTIMIZER, files[OPTIMIZER])
    if set(weights) != {"weights"} or document["step"] < 0:
        raise _damaged(WEIGHTS, "one array, weights, and a step from 0", f"{sorted(weights)}, {document['step']}")
    for name, array in optimizer.items():
        if array.shape != weights["weights"].shape:
            raise _damaged(OPTIMIZER, f"{name} of shape {weights['weights'].shape}", array.shape)
    try:
        inputs = Inputs(tuple(document["inputs"]["mean"]), tuple(document["inputs"]["std"]))
    except (KeyError, TypeError, OverflowError, UsageError) as error:
        raise _damaged(CHECKPOINT_DOCUMENT, "mean and std of the inputs", document["inputs"]) from error
    return Checkpoint(
        step=document["step"],
        weights=weights["weights"],
        optimizer=optimizer,
        config=document["config"],
        dataset_digest=document["dataset_digest"],
        model=document["model"],
        inputs=inputs,
        fingerprint={str(k): str(v) for k, v in document["fingerprint"].items()},
        state=document["state"],
        data=document["data"],
    )


def _tensors(name: str, data: bytes) -> dict[str, Floats]:
    """Flat float32 arrays by name, each in memory of its own."""
    try:
        arrays = decode_tensors(data)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise _damaged(name, "safetensors", error) from error
    for key, array in arrays.items():
        if array.dtype != np.float32 or array.ndim != 1:
            raise _damaged(name, f"{key} as a flat float32 array", f"{array.dtype} of shape {array.shape}")
    return {key: array.copy() for key, array in arrays.items()}
