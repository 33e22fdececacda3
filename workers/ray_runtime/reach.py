"""Whether a cluster answers at an address, asked before Ray connects: Ray would try for minutes, and not say why."""

import json
import platform
from typing import Any

import grpc
import ray

# Private: `ray.init` tries for minutes to reach a cluster that is not there and does not say why; only these ask it
# once, with a deadline, and with the user's token. `test_private_ray` notices where they go.
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
from ray._private.grpc_utils import init_grpc_channel
from ray._private.services import canonicalize_bootstrap_address_or_die
from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

from millrace.errors import DeadlineError, MillraceError, UsageError

MESSAGES: Any = gcs_service_pb2  # generated, without types
SERVICES: Any = gcs_service_pb2_grpc
ANSWER = 15.0  # seconds for the cluster's answer
START_ONE = "start one (ray start --head, or ray up), or leave out `address` to work on a Ray of your own"
TOKEN = (
    "copy ~/.ray/auth_token of the cluster's head to the same place here, or set RAY_AUTH_TOKEN to what "
    "`ray get-auth-token` says there"
)
CAUSES = {
    grpc.StatusCode.UNAUTHENTICATED: (UsageError, "does not take this machine's token", "the cluster's own", TOKEN),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        DeadlineError,
        "does not answer",
        f"an answer within {ANSWER:g} s",
        "check the address (the head's own port, 6379 by default, not the dashboard's) and the firewall",
    ),
    grpc.StatusCode.UNAVAILABLE: (UsageError, "is not there", "a cluster that runs", START_ONE),
}
OTHER = (
    UsageError,
    "gives an answer that is not Ray's",
    "Ray's head (its own port, 6379 by default)",
    "check the address",
)


def reach(address: str) -> str:
    """HOST:PORT of the cluster that "auto" or an address means.

    UsageError or DeadlineError where none answers, it refuses this machine's token, or has other versions than this
    program. A token that lies on this machine is used, as Ray itself does for "auto" alone, but only where the cluster
    asks for one: one that has none cannot speak to a driver that wants one, and takes its
    actors for those of a driver that has ended.
    """
    target = _resolved(address)
    try:
        try:
            known = _asked(target)
        except grpc.RpcError as error:
            token = error.code() == grpc.StatusCode.UNAUTHENTICATED
            if not token or not maybe_enable_token_auth_if_token_available(warn_if_disabled=False):
                raise
            known = _asked(target)
    except grpc.RpcError as error:
        raise _refused(address, error) from error
    if known:
        _check_versions(address, json.loads(known))
    return target


def _asked(target: str) -> bytes:
    """What the cluster has recorded of its versions; empty where it has nothing. Errors: RpcError."""
    channel = init_grpc_channel(target)
    try:
        question = MESSAGES.InternalKVGetRequest(namespace=b"cluster", key=b"CLUSTER_METADATA")
        return bytes(SERVICES.InternalKVGcsServiceStub(channel).InternalKVGet(question, timeout=ANSWER).value)
    finally:
        channel.close()


def _resolved(address: str) -> str:
    if "://" in address:
        raise UsageError(
            f"{address!r} is not an address of Ray's head",
            expected="auto or HOST:PORT",
            got=address,
            do="give the head's own port (6379 by default), or use `ray job submit --address` with the dashboard's",
        )
    try:
        return str(canonicalize_bootstrap_address_or_die(address))
    except ConnectionError as error:
        raise UsageError(
            f"there is no one Ray cluster that {address!r} means", expected="one", got=str(error), do=START_ONE
        ) from error
    except (ValueError, OSError) as error:
        raise UsageError(f"{address!r} is no address", expected="auto or HOST:PORT", got=str(error)) from error


def _refused(address: str, error: grpc.RpcError) -> MillraceError:
    code, details = error.code(), error.details()
    kind, what, expected, do = CAUSES.get(code, OTHER)
    lines = str(details or code).splitlines()
    return kind(f"the Ray cluster at {address} {what}", expected=expected, got=lines[0], do=do)


def _check_versions(address: str, theirs: dict[str, str]) -> None:
    """Other versions than the cluster's: Ray refuses them too, but a program of another Python gives other errors."""
    python = platform.python_version()
    if (theirs["ray_version"], theirs["python_version"]) != (ray.__version__, python):
        raise UsageError(
            f"the Ray cluster at {address} has other versions than this program",
            expected=f"Ray {ray.__version__} and Python {python}, as here",
            got=f"Ray {theirs['ray_version']} and Python {theirs['python_version']} on the cluster",
            do="install requirements/run.txt with one Python on every node, and start the cluster again",
        )
