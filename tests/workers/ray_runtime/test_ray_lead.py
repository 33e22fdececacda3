"""The lead of several servers, spoken to as a worker does: what it does where a part of a gradient cannot be had."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from millrace.errors import Diverged
from millrace.model import NetworkOptions, fingerprint
from millrace.workers.parameter_server import ParameterServer
from millrace.workers.setup import Setup
from millrace.workers.tree import Partial, root
from tests.workers.ray_runtime.waiting import wait_for
from tests.workers.runs import JOB, digits

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

WIDE = dataclasses.replace(JOB, network=NetworkOptions(hidden=(1000, 210)))
PARTIAL = Partial(np.empty(0, np.float32), 3.0, 5, 32, (b"",) * 4)


class Owner:
    """Holds an object that is lost with it."""

    def put(self) -> list[Any]:
        import ray

        self._reference = ray.put([np.ones(3, np.float32)])
        return [self._reference]


def is_lost(reference: Any) -> bool:
    """Whether the object cannot be had any more."""
    import ray

    try:
        ray.get(reference, timeout=5)
    except ray.exceptions.RayError:
        return True
    return False


@pytest.mark.usefixtures("shared_ray")
def test_a_part_that_cannot_be_had_opens_the_step_again_and_a_breakdown_is_named() -> None:
    import ray

    from millrace.workers.ray_runtime.fetcher import FetcherActor
    from millrace.workers.ray_runtime.handover import Handover
    from millrace.workers.ray_runtime.lead import LeadActor
    from millrace.workers.ray_runtime.messages import Contribution, Report, Request
    from millrace.workers.ray_runtime.segment_actor import SegmentActor

    setup = Setup(WIDE, digits())
    gradient = np.random.default_rng(0).standard_normal(setup.network.parameters, np.float32)
    maker: Any = ray.remote(FetcherActor)
    fetcher = maker.remote()
    data = Handover(*fetcher.fetch.options(num_returns=2).remote(WIDE.dataset, WIDE.reading, None, True))
    other: Any = ray.remote(SegmentActor).options(max_concurrency=100).remote()
    lead: Any = ray.remote(LeadActor).options(max_concurrency=100).remote(WIDE, data, fingerprint(), False, [other])
    owner: Any = ray.remote(Owner).remote()
    incarnation = ray.get(lead.restore.remote(None, 5))
    command = ray.get(lead.join.remote("worker-0", 1, "node", fingerprint(), None))[0]
    assert (command.step, command.blocks) == (0, (root(4),))
    edge = len(ray.get(command.weights[0]))
    (lost,) = ray.get(owner.put.remote())
    ray.kill(owner)
    wait_for(lambda: is_lost(lost), "the loss of an object with its owner", 60)

    def contribute(step: int, first: object, second: object) -> Any:
        said = [Contribution(root(4), None, PARTIAL)]
        request = Request("worker-0", 1, incarnation, step, False, said, Report(0.0, 0, 0))
        return ray.get(lead.contribute.remote(request, [first, second]))

    first, second = ray.put([gradient[:edge]]), ray.put([gradient[edge:]])
    again = contribute(0, first, lost)
    assert (again.step, again.blocks) == (0, (root(4),))
    assert contribute(0, first, second).step == 1
    got = ray.get(lead.snapshot.remote(1))
    plain = ParameterServer(setup)
    plain.contribute(0, root(4), PARTIAL._replace(gradient=gradient))
    plain.update()
    expected = plain.snapshot()
    assert got.weights.tobytes() == expected.weights.tobytes()
    assert (got.version, got.ledger, got.epoch_loss) == (1, expected.ledger, 3.0)
    assert contribute(1, first, ray.put([np.full(len(gradient) - edge, np.inf, np.float32)])).step == 2
    with pytest.raises(Diverged, match="a weight that is not finite"):
        ray.get(lead.snapshot.remote(2))
    for actor in (lead, other, fetcher):
        ray.kill(actor)
