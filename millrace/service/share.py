"""Batches that are made once for several clients: kept within a bound, and waited for while they are being made.

Clients of one stream that are near each other ask for the same steps. Nobody keeps pace with anybody: what is made
first is kept until newer batches need its room, and whoever comes later makes the batch again, in the same bits.

Keeping has a price, as every batch then goes to memory that no cache holds: a tenth of the making of small images. So
nothing is kept any more once as much as the bound has been made that nobody else asked for; only what the batches were
is remembered, and keeping begins anew with the first that is asked for twice.
"""

import threading
from collections import OrderedDict

import pyarrow as pa

from millrace.errors import DeadlineError, UsageError
from millrace.service.offer import Asked, Offer

DEADLINE = 60.0  # seconds in which a batch that another thread has begun must be there


class Group:
    """The batches of some steps, or the error that came instead, once it is `done`. size: their bytes. Until then a
    thread is at work on them, and on nothing else."""

    __slots__ = ("batches", "done", "error", "size")

    def __init__(self, size: int) -> None:
        self.size, self.done = size, False
        self.batches: list[pa.RecordBatch] = []
        self.error: BaseException | None = None


class Share:
    """Makes the batches of an offer for all calls of a server and keeps at most `bound` bytes of them, what was asked
    for last; 0: nothing, and every call makes its own.

    hits, misses: batches that were there or on their way, and that were made. Errors: UsageError for a bound that one
    group of whole batches does not fit in."""

    def __init__(self, offer: Offer, bound: int = 0, *, deadline: float = DEADLINE) -> None:
        least = offer.group_bytes(Asked(0, offer.steps))
        if 0 < bound < least:
            raise UsageError(
                "the share cannot hold one batch",
                expected=f"at least {least} bytes ({-(-least >> 20)} MiB), or 0 for none",
                got=bound,
            )
        self._offer, self.bound, self._deadline = offer, bound, deadline
        self._groups: OrderedDict[Asked, Group] = OrderedDict()  # asked for longest ago first
        self._passed: OrderedDict[Asked, int] = OrderedDict()  # bytes of what was made of late and is not kept
        self._passed_bytes = 0
        self._changed = threading.Condition()
        self._unasked = 0  # bytes that were made since a batch was asked for twice
        self.hits = self.misses = self.held = 0

    def group(self, begin: int, end: int, asked: Asked) -> Group:
        """The rows that are asked for of the steps [begin, end), a group of `Offer.groups`: made here, or on their way
        in another thread, which is not waited for; see `batches`."""
        if asked.rows == (0, self._offer.order.size(begin)):
            asked = asked._replace(rows=None)
        key = asked._replace(begin=begin, end=end)
        with self._changed:
            group, wholes = self._known(key), None
            if group is None:
                wholes = self._wholes(begin, end)
            if group is not None or wholes is not None:
                self.hits += end - begin
                self._unasked = 0
            else:
                self.misses += end - begin
                claimed = self._claim(key)
        if group is not None:
            return group
        if wholes is not None:
            return self._cut(key, wholes)
        return self._make(key, claimed)

    def batches(self, group: Group) -> list[pa.RecordBatch]:
        """One batch for each step of a group. Errors: what was raised while they were made, for everybody who waits for
        them; DeadlineError."""
        if not group.done:
            with self._changed:
                if not self._changed.wait_for(lambda: group.done, self._deadline):
                    raise DeadlineError("a batch was not made in time", expected=f"within {self._deadline:g} s")
        if group.error is not None:
            raise group.error
        return group.batches

    def stats(self) -> dict[str, int]:
        """Batches that were had without making them, batches made, bytes kept and their bound."""
        with self._changed:
            return {"hits": self.hits, "misses": self.misses, "bytes": self.held, "bound": self.bound}

    def _make(self, key: Asked, group: Group) -> Group:
        """Whatever happens, the group ends, so that nobody waits for it in vain; an error is not kept."""
        try:
            group.batches = self._offer.records(key.begin, key.end, key)
        except BaseException as error:
            group.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            with self._changed:
                group.done = True
                if self._groups.get(key) is group:
                    if group.error is not None:
                        self._drop(key)
                    elif not self._keeping:
                        self._pass(key)
                self._changed.notify_all()
        return group

    def _cut(self, key: Asked, wholes: list[pa.RecordBatch]) -> Group:
        """Rows of whole batches, as copies: a view would hold all of a batch in memory for some of its rows."""
        group, order = Group(0), self._offer.order
        for step, whole in zip(range(key.begin, key.end), wholes, strict=True):
            first, last = self._offer.positions(step, key)
            part = whole.slice(first - order.share(step, 0, 1)[0], last - first)
            group.batches.append(pa.concat_batches([part]))
        group.done = True
        return group

    # The methods below are called with the lock held.

    def _known(self, key: Asked) -> Group | None:
        found = self._groups.get(key)
        if found is not None:
            self._groups.move_to_end(key)
        return found

    def _wholes(self, begin: int, end: int) -> list[pa.RecordBatch] | None:
        """The whole batches of the steps, where all of them are there. Those on their way are not waited for: some of
        their rows are made sooner."""
        found: list[pa.RecordBatch] = []
        while self._groups and (step := begin + len(found)) < end:
            first, last = self._offer.group_of(step)
            group = self._known(Asked(first, last))
            if group is None or not group.done:
                return None
            found.extend(group.batches[step - first : end - first])
        return found or None

    def _claim(self, key: Asked) -> Group:
        """A group to be made, which others find where there is room for it."""
        group = Group(self._offer.bytes(self._offer.rows_of(key)) if self.bound else 0)
        if not 0 < group.size <= self.bound:
            return group
        self._unasked += group.size
        if key in self._passed:  # the second who asks for it
            self._passed_bytes -= self._passed.pop(key)
            self._unasked = group.size
        if not self._keeping:
            for other in [other for other, known in self._groups.items() if known.done]:
                self._pass(other)
        while self.held + group.size > self.bound:
            oldest = next((other for other, known in self._groups.items() if known.done), None)
            if oldest is None:
                return group
            self._drop(oldest)
        self._groups[key] = group
        self.held += group.size
        return group

    @property
    def _keeping(self) -> bool:
        return self._unasked <= self.bound

    def _pass(self, key: Asked) -> None:
        """Keep a group no longer, but remember it, as far back as it would have been kept."""
        self._passed[key] = size = self._drop(key)
        self._passed_bytes += size
        while self._passed_bytes > self.bound:
            self._passed_bytes -= self._passed.popitem(last=False)[1]

    def _drop(self, key: Asked) -> int:
        """The bytes of what is dropped."""
        size = self._groups.pop(key).size
        self.held -= size
        return size
