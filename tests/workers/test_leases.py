"""Leases: every slot of a step is offered, whoever joins, leaves or is slow."""

from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.workers.leases import Leases
from millrace.workers.tree import Block


def slots_of(blocks: list[Block], slots: int) -> set[int]:
    return {slot for block in blocks for slot in range(block.start, min(block.end, slots))}


def test_members_hold_even_shares_in_the_order_of_joining() -> None:
    leases = Leases()
    for name in ("a", "b", "c"):
        leases.join(name)
    leases.begin(8)
    missing = range(8)
    assert leases.assign("a", missing) == [Block(0, 2)]
    assert leases.assign("b", missing) == [Block(2, 2), Block(4, 1)]
    assert leases.assign("c", missing) == [Block(5, 1), Block(6, 2)]
    assert leases.assign("a", missing) == []


def test_who_leaves_loses_its_slots_to_the_idle() -> None:
    leases = Leases()
    leases.join("a")
    leases.join("b")
    leases.begin(4)
    assert leases.assign("a", range(4)) == [Block(0, 2)]
    assert leases.assign("b", range(4)) == [Block(2, 2)]
    leases.leave("b")
    # Slots 0 and 1 have arrived from a, which is idle now.
    assert slots_of(leases.assign("a", [2, 3]) + leases.assign("a", [2, 3]), 4) == {2, 3}


def test_a_straggler_is_helped_in_smaller_blocks() -> None:
    leases = Leases()
    leases.join("slow")
    leases.join("quick")
    leases.begin(8)
    assert leases.assign("slow", range(8)) == [Block(0, 4)]
    assert leases.assign("quick", range(8)) == [Block(4, 4)]
    leases.loosen([0, 1, 2, 3])
    assert leases.assign("quick", [0, 1, 2, 3]) == [Block(0, 2)]
    assert leases.assign("quick", [2, 3]) == [Block(2, 1)]


def test_a_stranger_and_a_member_of_the_next_step_get_nothing_that_is_held() -> None:
    leases = Leases()
    leases.join("a")
    leases.begin(2)
    leases.join("b")
    assert leases.assign("unknown", [0, 1]) == []
    assert leases.assign("b", [0, 1]) == []
    leases.begin(2)
    assert leases.assign("b", [0, 1]) == [Block(1, 1)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_as_long_as_one_member_works_every_slot_is_computed(data: st.DataObject) -> None:
    slots = data.draw(st.integers(1, 20))
    leases = Leases()
    names = [f"w{k}" for k in range(data.draw(st.integers(1, 5)))]
    for name in names:
        leases.join(name)
    leases.begin(slots)
    missing = set(range(slots))
    for _ in range(200):
        if not missing:
            break
        name = data.draw(st.sampled_from(names))
        match data.draw(st.sampled_from(["work", "work", "work", "lose", "crash", "loosen"])):
            case "work":
                missing -= slots_of(leases.assign(name, missing), slots)
            case "lose":
                leases.assign(name, missing)  # taken, and never contributed
                leases.leave(name)
                leases.join(name)
            case "crash":
                leases.leave(name)
                leases.join(name)
            case "loosen":
                leases.loosen(missing)
    leases.loosen(missing)
    for _ in range(slots):
        for name in names:
            missing -= slots_of(leases.assign(name, missing), slots)
    assert not missing
