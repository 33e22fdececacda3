"""A dataset as a service of a Ray cluster: one server on each node, over the table that lies there once."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from millrace.extras import extras_named
from millrace.service.budget import Limits
from millrace.service.node_server import NodeServer, ServeTerms
from millrace.service.offer import Offer
from millrace.service.place import ServePlace

if TYPE_CHECKING:
    from millrace.workers.ray_runtime.fleet import Fleet

LOOPBACK = "127.0.0.1"


def check_reachable(address: str | None) -> None:
    """See whether Ray is installed and a cluster answers, before a dataset is fetched.

    Errors: MissingExtra, UsageError, DeadlineError."""
    with extras_named():
        from millrace.workers.ray_runtime.reach import reach
    if address is not None:
        reach(address)


def told_in_clear(place: ServePlace, several: bool, environment: Mapping[str, str] = os.environ) -> str | None:
    """What is to be said where token or key cross a network that Ray does not encrypt; several: machines."""
    sent = [word for word, has in (("the token", place.token), ("the key of TLS", place.tls)) if has is not None]
    if not sent or not several or environment.get("RAY_USE_TLS", "").lower() in ("1", "true"):
        return None
    return f"Ray's connections to other machines, which carry {' and '.join(sent)}, are not encrypted: set RAY_USE_TLS"


@contextmanager
def fleet_of(
    offer: Offer,
    place: ServePlace,
    *,
    host: str | None,
    address: str | None,
    limits: Limits,
    threads: int | None,
    metrics: tuple[str, int] | None,
    note: Callable[[str], None],
) -> Iterator["Fleet"]:
    """Connect to Ray, for servers of an offer that are started by the fleet's `begin`; all end with the block.

    place: port, token, TLS and further endpoints of every server. host: where each listens; None: at 127.0.0.1 where
    the cluster is this machine alone, else at its node's own address. address: of a cluster that runs already; None:
    an own Ray. note: hears what happens. Token and certificate go from here to each server in a call, so no other node
    needs their files. Errors: UsageError for a place that others reach, without token or TLS."""
    with extras_named():
        from millrace.workers.ray_runtime.fleet import Fleet, cluster_of

    source = offer.source
    with cluster_of(address, note) as (here, machines):
        if host is None and machines == {here}:
            host = LOOPBACK

        def arguments(node: str, port: int | None, endpoints: tuple[str, ...]) -> tuple[ServePlace, str]:
            """A server that is started again has the port that it had: clients know it by that."""
            wanted = place.port if port is None else port
            return replace(place, host=host or node, port=wanted, endpoints=endpoints), node

        if (warning := told_in_clear(place, len(machines) > 1)) is not None:
            note(warning)
        for machine in sorted(machines):
            arguments(machine, None, ())  # refused here, if it is to be
        local = replace(place, host=host).local if host is not None else False
        terms = ServeTerms(source.choice, offer.epochs, limits, threads, metrics, place.endpoints)
        with Fleet(NodeServer, source.dataset, terms, arguments, only=here if local else None, note=note) as fleet:
            yield fleet
