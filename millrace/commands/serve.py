"""`millrace serve`: augmented batches for any client, by ticket, over Arrow Flight."""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from millrace.commands import serve_on_ray
from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen
from millrace.commands.serve_display import ServiceDisplay, say_ready
from millrace.commands.stopping import Stopping
from millrace.errors import UsageError
from millrace.library.exporting import ExportPlace
from millrace.library.serving import KEYS, ReadyFile, offer_of
from millrace.library.serving_on_ray import check_reachable
from millrace.reports.words import counted, in_words
from millrace.service.address import is_loopback
from millrace.service.budget import Limits
from millrace.service.memory import settle
from millrace.service.offer import Offer
from millrace.service.place import ServePlace, tls_from, token_from
from millrace.service.service import Service
from millrace.settings import flags, layers

TICK = 0.5  # seconds between two looks at the figures


@dataclass(frozen=True)
class ServeOptions:
    """Offer a dataset's augmented batches to any client in any language: the bits of `millrace.stream` with the same
    arguments, by ticket, over Arrow Flight. docs/service.md has the protocol.

    Only this machine is served unless --host says otherwise, and then a token and TLS are needed. With --runtime ray
    each node of a Ray cluster that has a CPU gets a server, and what holds for one holds for each."""

    dataset: str = flags.positional(
        "DATASET", "name of a dataset, or the path of your own or of an export", required=True
    )
    batch: int = flags.option(128, "N", "samples of a step", least=1)
    split: str = flags.option("train", "NAME", "train, validation or test")
    epochs: int = flags.option(0, "K", "epochs that are served; 0: without end", least=0)
    drop_last: bool = flags.switch("leave out the last step of an epoch where it would be shorter")
    runtime: str = flags.like(ExportPlace, "runtime")
    address: str | None = flags.like(ExportPlace, "address")
    host: str | None = flags.option(
        None, "HOST", "address to listen at (default: 127.0.0.1; on a cluster of several machines, a node's own)"
    )
    port: int = flags.option(8815, "P", "port to listen at; 0: any that is free", least=0, most=65535)
    unix: str | None = flags.option(None, "PATH", "listen at a Unix socket instead")
    token_file: str | None = flags.option(None, "FILE", "file of the token that clients send; or MILLRACE_TOKEN")
    tls_cert: str | None = flags.option(None, "FILE", "certificate, PEM")
    tls_key: str | None = flags.option(None, "FILE", "its key, PEM, without a password")
    endpoint: tuple[str, ...] = flags.option((), "URL …", "addresses of all servers of this stream, for clients")
    ready_file: str | None = flags.option(None, "FILE", "file that gets the address once the server answers")
    threads: int = flags.option(0, "N", "threads that make batches; 0: one for each core", least=0, most=1024)
    client_memory: int = flags.option(64, "MIB", "bytes in flight for one client, in MiB", least=1, most=1 << 20)
    memory: int = flags.option(512, "MIB", "bytes in flight for all clients together, in MiB", least=1, most=1 << 20)
    share: int = flags.option(
        0,
        "MIB",
        "keep so many MiB of batches, made once for all clients that are near each other",
        least=0,
        most=1 << 20,
    )
    stall: float = flags.option(60.0, "SECONDS", "a client that has not read for so long is cut")
    drain: float = flags.option(10.0, "SECONDS", "patience with clients when the server ends", least=0)
    metrics_port: int | None = flags.option(
        None, "P", "port of the status page and of Prometheus' figures; 0: any that is free", least=0, most=65535
    )
    metrics_host: str = flags.option("127.0.0.1", "HOST", "address that these listen at; HTTPS where others reach it")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Serve until a signal: exit code 0 after SIGTERM, when the calls that ran have ended, 130 after Ctrl-C."""
    options, given = flags.parse("serve", ServeOptions, arguments, KEYS)
    screen = Screen(as_json=options.json)
    place, on_ray = _place(options), options.runtime == "ray"
    if on_ray:
        check_reachable(options.address)
    limits = Limits(
        options.client_memory << 20, options.memory << 20, stall=options.stall, share_bytes=options.share << 20
    )
    metrics = None if options.metrics_port is None else (options.metrics_host, options.metrics_port)
    also: dict[str, Any] = {"limits": limits, "threads": options.threads or None, "metrics": metrics}
    with ReadyFile(options.ready_file) as ready:
        offer = _offer(options, given, screen)
        if on_ray:
            _announce(screen, offer)
            also |= {"host": options.host, "address": options.address}
            return serve_on_ray.show(screen, offer, place, ready, options.drain, **also)
        settle()
        with Stopping() as stopping, Service(offer, place, **also) as service:
            service.check()
            _announce(screen, offer)
            page = None if service.web is None else service.web.address
            say_ready(screen, offer, [service.address], {} if page is None else {service.address: page})
            if not is_loopback(options.metrics_host) and service.web is not None and not service.web.guarded:
                screen.note("other machines see /healthz and /livez alone: the page needs a token and TLS for them")
            ready.say(service.address)
            with ServiceDisplay(screen) as display:
                while not stopping.event.wait(TICK):
                    display.show(service.server.stats())
            ready.take_back()
            screen.say("draining")
            service.close(options.drain)
    return 0 if stopping.signal == signal.SIGTERM else stopping.code


def _offer(options: ServeOptions, given: Mapping[str, object], screen: Screen) -> Offer:
    settings = layers.resolve(None, {"dataset": options.dataset, **given})
    with Downloads(screen) as progress:
        return offer_of(
            settings,
            batch=options.batch,
            split=options.split,
            epochs=options.epochs or None,
            drop_last=options.drop_last,
            progress=progress,
        )


def _place(options: ServeOptions) -> ServePlace:
    """On Ray: of every server, but for its host."""
    ExportPlace(runtime=options.runtime, address=options.address)  # which checks that these belong together
    if options.unix is not None and options.runtime == "ray":
        raise UsageError("a Unix socket is of one machine", expected="--host and --port", got="--runtime ray")
    return ServePlace(
        host=options.host or "127.0.0.1",
        port=options.port,
        unix=options.unix,
        token=token_from(options.token_file),
        tls=tls_from(options.tls_cert, options.tls_key),
        endpoints=options.endpoint,
    )


def _announce(screen: Screen, offer: Offer) -> None:
    steps = f"{counted(offer.order.steps_per_epoch, 'step')} an epoch"
    screen.facts(
        (
            "serving",
            f"{offer.source.dataset.spec.name}, {offer.source.choice.split}: {offer.samples:,} samples, {steps}",
        ),
        ("augment", f"{in_words(offer.stream.policy)}; seed {offer.stream.seed}"),
        ("stream", offer.digest),
    )
