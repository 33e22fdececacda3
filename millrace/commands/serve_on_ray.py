"""`millrace serve --runtime ray`: what the terminal says of a fleet, from its first server to its drain."""

import signal
from typing import Any

from millrace.commands.screen import Screen
from millrace.commands.serve_display import ServiceDisplay, say_ready
from millrace.commands.stopping import Stopping
from millrace.library.serving import ReadyFile
from millrace.library.serving_on_ray import fleet_of
from millrace.reports.words import counted
from millrace.service.node_server import summed
from millrace.service.offer import Offer
from millrace.service.place import ServePlace

TICK = 0.5  # seconds between two looks at the figures


def show(screen: Screen, offer: Offer, place: ServePlace, ready: ReadyFile, drain: float, **fleet: Any) -> int:
    """Serve until a signal; the exit code, as for one server. ready: gets the address of a server that answers. fleet:
    as for `fleet_of`."""
    with fleet_of(offer, place, note=screen.note, **fleet) as servers, Stopping() as stopping:
        servers.begin(stopping.event.is_set)
        if servers.endpoints:
            say_ready(screen, offer, servers.endpoints, servers.pages)
        with ServiceDisplay(screen) as display:
            while not stopping.event.is_set():
                ready.follow(servers.endpoints)
                servers.look()
                display.show(summed(servers.figures))
                stopping.event.wait(TICK)
        ready.take_back()
        screen.say(f"draining {counted(len(servers.endpoints), 'server')}")
        servers.drain(drain)
    return 0 if stopping.signal == signal.SIGTERM else stopping.code
