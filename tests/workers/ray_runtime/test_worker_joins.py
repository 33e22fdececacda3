"""A worker introduces itself to a server that is lost right after its answer."""

from typing import Any

import pytest

from tests.workers.runs import JOB

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]


class LostOnce:
    """Answers as a server on this node: the first time with the memory of a process that has ended, then with the
    end."""

    def __init__(self) -> None:
        self._asked = 0

    def join(self, name: str, membership: int, node: str, environment: dict[str, str], arena: Any) -> Any:
        from millrace.workers.ray_runtime.messages import STOP, WORK, Command
        from millrace.workers.ray_runtime.shared import Arena

        self._asked += 1
        if self._asked > 1:
            return Command(STOP), None, False, ""
        own = Arena.create(node, 2, 10)
        assert own is not None
        gone = own.handle._replace(pid=2**22 + 1)  # above the greatest number of a process
        return Command(WORK, "first", weights=0), gone, True, ""

    def asked(self) -> int:
        return self._asked


@pytest.mark.usefixtures("shared_ray")
def test_memory_that_is_gone_is_asked_for_again() -> None:
    import ray

    from millrace.workers.ray_runtime.fetcher import FetcherActor
    from millrace.workers.ray_runtime.handover import Handover
    from millrace.workers.ray_runtime.worker import WorkerActor

    maker: Any = ray.remote(FetcherActor)
    fetcher = maker.remote()
    data = Handover(*fetcher.fetch.options(num_returns=2).remote(JOB.dataset, JOB.reading, None, True))
    server: Any = ray.remote(LostOnce).remote()
    worker: Any = ray.remote(WorkerActor).remote(0, JOB, data, server, [], 1 << 20)
    assert ray.get(worker.run.remote(), timeout=120) == 0
    assert ray.get(server.asked.remote(), timeout=10) == 2
    for actor in (worker, server, fetcher):
        ray.kill(actor)
