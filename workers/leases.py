"""Leases: who computes which slots. Standing shares of every step, and what a lost or slow worker leaves of one."""

from collections.abc import Iterable

from millrace.workers.tree import Block, aligned, share


class Leases:
    """The members, in the order of joining, each hold a standing share of every step: no message renews it.

    Slots of a step come loose when their holder leaves or is too slow; whoever is idle takes them, in blocks of any
    size. A slot may be handed out twice: contributions are idempotent, and who comes first counts.
    """

    def __init__(self) -> None:
        self._members: list[str] = []
        self._slots = 0
        self._held: dict[str, list[Block]] = {}  # of the current step, not handed out yet
        self._out: dict[str, list[Block]] = {}  # of the current step, handed out
        self._loose: set[int] = set()

    @property
    def members(self) -> tuple[str, ...]:
        return tuple(self._members)

    def standing(self, name: str) -> tuple[int, int]:
        """(rank, members): the member's share of every step from the next one on, see `workers.tree.share`."""
        return self._members.index(name), len(self._members)

    def begin(self, slots: int) -> None:
        """A new step: every member holds its share, nothing is loose."""
        self._slots = slots
        count = len(self._members)
        self._held = {name: share(slots, count, rank) for rank, name in enumerate(self._members)}
        self._out = {name: [] for name in self._members}
        self._loose = set() if count else set(range(slots))

    def join(self, name: str) -> None:
        """A member from the next step on; in this one it takes what is loose. Joining again forgets what it had."""
        if name in self._members:
            self.leave(name)
        self._members.append(name)
        self._held[name], self._out[name] = [], []

    def leave(self, name: str) -> None:
        """The member is gone: what it holds of the current step is loose."""
        if name not in self._members:
            return
        self._members.remove(name)
        for block in self._held.pop(name, []) + self._out.pop(name, []):
            self._loose.update(range(block.start, min(block.end, self._slots)))

    def loosen(self, missing: Iterable[int]) -> None:
        """These slots were waited for too long: who is idle may take them as well."""
        self._loose.update(missing)

    def has_begun(self, name: str) -> bool:
        """Whether the member has been handed something of the current step already."""
        return bool(self._out.get(name))

    def assign(self, name: str, missing: Iterable[int]) -> list[Block]:
        """Work for an idle member: its share of the step first, then a piece of what is loose. Empty: nothing to do.

        missing: the slots that were not contributed yet.
        """
        if name not in self._members:
            return []
        open_slots = set(missing)
        blocks = [block for block in self._held[name] if _slots(block, self._slots) <= open_slots]
        left = [block for block in self._held[name] if block not in blocks]
        for block in left:  # partly covered by somebody else: the rest is taken slot by slot
            blocks += [Block(slot, 1) for slot in sorted(_slots(block, self._slots) & open_slots)]
        self._held[name] = []
        if not blocks:
            blocks = self._piece(open_slots)
        self._out[name] += blocks
        return blocks

    def _piece(self, open_slots: set[int]) -> list[Block]:
        """One aligned run of loose slots, small enough that all members can help."""
        self._loose &= open_slots
        if not self._loose:
            return []
        most = max(1, len(self._loose) // max(1, len(self._members)))
        begin = min(self._loose)
        end = begin
        while end in self._loose and end - begin < most:
            end += 1
        block = aligned(begin, end)[0]
        self._loose -= set(range(block.start, block.end))
        return [block]


def _slots(block: Block, slots: int) -> set[int]:
    return set(range(block.start, min(block.end, slots)))
