"""Checkpoints come back bit for bit; whatever is changed in one is found and named."""

import contextlib
import hashlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.errors import CheckpointError
from millrace.model.checkpoint import (
    CHECKPOINT_DOCUMENT,
    CHECKPOINT_FILES,
    OPTIMIZER,
    WEIGHTS,
    Checkpoint,
    from_files,
    to_files,
)
from millrace.model.inputs import Inputs


def checkpoint(step: int = 7) -> Checkpoint:
    rng = np.random.default_rng(step)
    weights, s, r = rng.standard_normal((3, 22)).astype(np.float32)
    weights[:3] = [np.nan, -0.0, np.inf]
    return Checkpoint(
        step=step,
        weights=weights,
        optimizer={"s": s, "r": r},
        config={"dataset": "digits", "rate": 0.1, "hidden": [4], "name": "ümlaut"},
        dataset_digest="d" * 64,
        model="2-4-2 relu",
        inputs=Inputs((0.1306604762738429,), (0.30810780717887876,)),
        fingerprint={"numpy": "2.4.6"},
        state={"best": None, "losses": [0.1, 1e-300]},
        data={"name": "digits", "shape": [1, 8, 8], "classes": ["0", "1"], "prepare": "digits"},
    )


GOOD = to_files(checkpoint())


def test_everything_comes_back_bit_for_bit() -> None:
    kept, back = checkpoint(), from_files(GOOD)
    assert back.weights.view(np.uint32).tolist() == kept.weights.view(np.uint32).tolist()
    assert set(back.optimizer) == {"s", "r"}
    assert all(np.array_equal(back.optimizer[k], kept.optimizer[k]) for k in kept.optimizer)
    for name in ("step", "config", "dataset_digest", "model", "inputs", "fingerprint", "state"):
        assert getattr(back, name) == getattr(kept, name)
    assert to_files(back) == GOOD
    for array in (back.weights, *back.optimizer.values()):
        assert array.flags.writeable
        assert array.flags.owndata


def test_an_optimizer_without_state_is_fine() -> None:
    plain = Checkpoint(0, np.zeros(3, np.float32), {}, {}, "", "2-1 relu", Inputs.unit(1), {})
    assert from_files(to_files(plain)).optimizer == {}


def test_one_of_an_earlier_version_says_nothing_of_its_data() -> None:
    files = to_files(checkpoint())
    document = json.loads(files[CHECKPOINT_DOCUMENT])
    del document["data"]
    assert from_files(_sealed(document, files)).data == {}


def test_what_it_belongs_to_is_compared() -> None:
    assert from_files(GOOD, dataset_digest="d" * 64, model="2-4-2 relu").step == 7
    with pytest.raises(CheckpointError, match="another dataset") as caught:
        from_files(GOOD, dataset_digest="e" * 64)
    assert (caught.value.expected, caught.value.got) == ("e" * 64, "d" * 64)
    with pytest.raises(CheckpointError, match="another model") as caught:
        from_files(GOOD, model="2-5-2 relu")
    assert (caught.value.expected, caught.value.got) == ("2-5-2 relu", "2-4-2 relu")


def test_missing_and_extra_files_are_named() -> None:
    for name in CHECKPOINT_FILES:
        with pytest.raises(CheckpointError, match="files it should"):
            from_files({k: v for k, v in GOOD.items() if k != name})
    with pytest.raises(CheckpointError, match=r"notes\.txt"):
        from_files({**GOOD, "notes.txt": b""})
    with pytest.raises(CheckpointError, match="none"):
        from_files({})


def test_files_of_another_checkpoint_do_not_mix() -> None:
    other = to_files(checkpoint(8))
    for name in CHECKPOINT_FILES:
        with pytest.raises(CheckpointError, match="damaged"):
            from_files({**GOOD, name: other[name]})


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(CHECKPOINT_FILES), at=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_any_changed_byte_is_found(name: str, at: float, mask: int) -> None:
    data = bytearray(GOOD[name])
    data[int(at * len(data))] ^= mask
    with pytest.raises(CheckpointError):
        from_files({**GOOD, name: bytes(data)})


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(CHECKPOINT_FILES), at=st.floats(0, 1, exclude_max=True), tail=st.binary(max_size=40))
def test_truncated_and_overwritten_files_are_found(name: str, at: float, tail: bytes) -> None:
    data = GOOD[name][: int(at * len(GOOD[name]))] + tail
    if data != GOOD[name]:
        with pytest.raises(CheckpointError):
            from_files({**GOOD, name: data})


def _sealed(document: dict[str, Any], files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with all digests made to fit: what only someone who wants to can make."""
    document = {k: v for k, v in document.items() if k != "digest"}
    if isinstance(document.get("files"), dict):
        for name in (WEIGHTS, OPTIMIZER):
            digest = hashlib.sha256(files[name]).hexdigest()
            document["files"][name] = {"bytes": len(files[name]), "sha256": digest}
    text = json.dumps(document, sort_keys=True, indent=1) + "\n"
    document["digest"] = hashlib.sha256(text.encode()).hexdigest()
    return {**files, CHECKPOINT_DOCUMENT: (json.dumps(document, sort_keys=True, indent=1) + "\n").encode()}


def test_sealing_a_good_checkpoint_changes_nothing() -> None:
    assert _sealed(json.loads(GOOD[CHECKPOINT_DOCUMENT]), GOOD) == GOOD


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["mean", "std", "a"]), inner),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(key=st.sampled_from([*sorted(json.loads(GOOD[CHECKPOINT_DOCUMENT])), "strange"]), value=JSON)
def test_sealed_nonsense_is_refused_or_harmless(key: str, value: Any) -> None:
    files = _sealed({**json.loads(GOOD[CHECKPOINT_DOCUMENT]), key: value}, GOOD)
    with contextlib.suppress(CheckpointError):
        assert isinstance(from_files(files), Checkpoint)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from([WEIGHTS, OPTIMIZER]), at=st.integers(0, 150), byte=st.integers(0, 255))
def test_sealed_tensors_are_refused_or_harmless(name: str, at: int, byte: int) -> None:
    data = bytearray(GOOD[name])
    data[at % len(data)] = byte
    files = _sealed(json.loads(GOOD[CHECKPOINT_DOCUMENT]), {**GOOD, name: bytes(data)})
    with contextlib.suppress(CheckpointError):
        assert isinstance(from_files(files), Checkpoint)


def test_a_newer_format_says_so() -> None:
    with pytest.raises(CheckpointError, match="another format"):
        from_files(_sealed({**json.loads(GOOD[CHECKPOINT_DOCUMENT]), "format": 2}, GOOD))


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100000, b'{"format": 1, "digest": []}'])
def test_documents_that_are_none(text: bytes) -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        from_files({**GOOD, CHECKPOINT_DOCUMENT: text})


def test_what_json_cannot_hold_is_refused_when_written() -> None:
    for bad in ({"loss": float("nan")}, {"tags": {1, 2}}):
        broken = Checkpoint(0, np.zeros(1, np.float32), {}, {}, "", "", Inputs.unit(1), {}, bad)
        with pytest.raises(CheckpointError, match="cannot be written"):
            to_files(broken)
