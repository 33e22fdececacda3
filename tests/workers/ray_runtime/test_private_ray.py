"""What this project uses of Ray that Ray calls private: a release without it is noticed here, not in a run."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

import millrace
from millrace.workers.ray_runtime.lean import lean

HOME = Path(millrace.__file__).parent / "workers" / "ray_runtime"
PRIVATE = ("ray._private", "ray._raylet", "ray.core", "ray.autoscaler", "ray.experimental")

# Module → names in it that are used, dotted where an attribute of theirs is.
USED = {
    "ray._private.authentication.authentication_token_setup": [
        "enable_token_auth_by_default",
        "maybe_enable_token_auth_if_token_available",
    ],
    "ray._private.grpc_utils": ["init_grpc_channel"],
    "ray._private.ray_constants": ["DEBUG_AUTOSCALING_STATUS"],
    "ray._private.node": ["Node.start_api_server", "Node.start_monitor", "Node.start_log_monitor"],
    "ray._private.parameter": ["RayParams"],
    "ray._private.services": ["canonicalize_bootstrap_address_or_die", "get_node"],
    "ray._raylet": ["GcsClient"],
    "ray._private.worker": ["_global_node", "print_to_stdstream"],
    "ray.autoscaler.sdk": ["request_resources"],
    "ray.core.generated.gcs_service_pb2": ["InternalKVGetRequest", "InternalKVGetReply"],
    "ray.core.generated.gcs_service_pb2_grpc": ["InternalKVGcsServiceStub"],
    "ray.core.generated.node_manager_pb2": ["GetNodeStatsRequest", "GetNodeStatsReply"],
    "ray.core.generated.node_manager_pb2_grpc": ["NodeManagerServiceStub"],
    "ray.experimental.internal_kv": ["_internal_kv_get"],
}
FIELDS = {
    "ray.core.generated.gcs_service_pb2": {
        "InternalKVGetRequest": ["namespace", "key"],
        "InternalKVGetReply": ["value"],
    },
    "ray.core.generated.node_manager_pb2": {
        "GetNodeStatsRequest": ["include_memory_info"],
        "GetNodeStatsReply": ["store_stats"],
    },
}


def imported() -> set[str]:
    """The private modules that the Ray runtime imports, or imports names of."""
    found = set()
    for path in HOME.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PRIVATE):
                whole = [f"{node.module}.{alias.name}" for alias in node.names]
                found |= {name if name in USED else str(node.module) for name in whole}
    return found


def test_the_list_is_whole() -> None:
    assert imported() == set(USED)


@pytest.mark.parametrize("module", USED)
def test_it_is_there(module: str) -> None:
    loaded = importlib.import_module(module)
    for dotted in USED[module]:
        thing = loaded
        for name in dotted.split("."):
            thing = getattr(thing, name)
    for message, fields in FIELDS.get(module, {}).items():
        assert set(fields) <= {field.name for field in getattr(loaded, message).DESCRIPTOR.fields}


def test_every_use_says_why() -> None:
    for path in HOME.glob("*.py"):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.startswith(tuple(f"from {name}" for name in PRIVATE)):
                above = next(before for before in reversed(lines[:number]) if not before.startswith("from ray"))
                assert above.startswith("# "), f"{path.name}: {line}"


STARTED = {
    "fewer processes": ("ray._private.parameter", "RayParams"),
    "no web server": ("ray._private.node", "Node.start_api_server"),
    "a second less": ("ray._private.services", "get_node"),
}


def at_start() -> dict[str, object]:
    """What Ray's start finds under each of these names; nothing where there is none."""
    found = dict[str, object]()
    for what, (module, dotted) in STARTED.items():
        thing: object = sys.modules.get(module)
        for name in dotted.split("."):
            thing = getattr(thing, name, None)
        found[what] = thing
    return found


@pytest.mark.parametrize(
    ("missing", "plain"),
    [
        ("", set()),
        ("ray._private.parameter.RayParams", {"fewer processes"}),
        ("ray._private.parameter", {"fewer processes"}),
        ("ray._private.node.Node", {"no web server"}),
        ("ray._private.node.Node.start_api_server", {"no web server"}),
        ("ray._private.services.get_node", {"a second less"}),
        ("ray._raylet.GcsClient", {"a second less"}),
    ],
)
def test_where_a_name_is_missing_ray_starts_without_that_alone(
    monkeypatch: pytest.MonkeyPatch, missing: str, plain: set[str]
) -> None:
    for module, _ in STARTED.values():
        importlib.import_module(module)
    if missing:
        monkeypatch.delattr(missing)
    if missing in sys.modules:
        monkeypatch.setitem(sys.modules, missing, None)
    before = at_start()
    with lean():
        assert {what for what, thing in at_start().items() if thing is before[what]} == plain
    assert at_start() == before


def test_parameters_of_another_release_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def parameters(*, cpus: int, no_monitor: bool = False) -> tuple[int, bool]:
        return cpus, no_monitor

    monkeypatch.setattr("ray._private.parameter.RayParams", parameters)
    with lean():
        made = importlib.import_module("ray._private.parameter").RayParams(cpus=2)
    assert made == (2, True)
