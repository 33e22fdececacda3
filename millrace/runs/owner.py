"""The owner of a run: one driver at a time, on any machine, and no more writing by one that has lost the run.

Every driver writes one file of its own, `owners/<incarnation>-<owner>.json`, and renews it while it trains. The owner
is the highest incarnation; of two with the same, the higher id. Not every store has a conditional put, and
pyarrow offers that of none, so what two drivers could overwrite for each other is avoided: no file here has two
writers. A driver that takes a run writes its file, waits a moment, looks whether a higher one has come, and gives way
to it. One that slept between its look and its writing is found out at the next renewal, and the lower one stops. A
driver asks before each file it writes; only one file that is under way when the driver is put to sleep cannot be called
back.
"""

import contextlib
import json
import re
import secrets
import threading
import time
from dataclasses import asdict, dataclass, replace

from millrace.errors import CheckpointError, TakenOverError, UsageError
from millrace.storage import Folder, Process

OWNERS = "owners"
CLAIM = re.compile(rf"{OWNERS}/(\d{{6}})-[0-9a-f]{{8}}\.json")
RENEWED = 10.0  # seconds between two renewals
STALE = 30.0  # seconds without a renewal after which an owner on another machine is taken for lost
SURE = 20.0  # seconds after a renewal in which no other driver can have taken the run
SETTLE = 1.0  # seconds in which two drivers that take a run at the same time see each other's files
LISTED = 10.0  # seconds in which a store may list a file that is gone
PAUSE = 0.1  # seconds between two looks at such a listing
LEAVE = 5.0  # seconds for a renewal under way at the end


@dataclass(frozen=True)
class Claim:
    """One driver's file. time: wall clock at the last renewal, for people; ages are measured by the store's clock."""

    incarnation: int
    owner: str
    process: Process
    time: float
    released: bool = False

    @property
    def key(self) -> str:
        """What no other driver has; of one that follows it is higher."""
        return f"{self.incarnation:06d}-{self.owner}"

    @property
    def name(self) -> str:
        return f"{OWNERS}/{self.key}.json"

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

    def __str__(self) -> str:
        return f"incarnation {self.incarnation}, {self.process}"


def newest_claim(store: Folder) -> Claim | None:
    """The claim of the owner, or of the last one; None where the run was never trained."""
    until = _clock() + LISTED
    while names := _claims(store):
        # Gone where another driver has taken the run meanwhile, or where a store lists what it has no more.
        with contextlib.suppress(FileNotFoundError):
            return _read(store, names[-1])
        if _clock() > until:
            raise CheckpointError(
                f"{store.location} lists a file that it does not give",
                got=names[-1],
                do="try it once more; if it stays so, remove the file, if no process trains the run",
            )
        time.sleep(PAUSE)
    return None


def _claims(store: Folder) -> list[str]:
    """The names of all claims, the owner's last."""
    return sorted(name for name in store.stats(OWNERS) if CLAIM.fullmatch(name))


def _read(store: Folder, name: str) -> Claim:
    data = store.data(name)
    try:
        fields = json.loads(data)
        return Claim(**{**fields, "process": Process(**fields["process"])})
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{name} of {store.location} is damaged", got=repr(error), do="remove it, if no process trains the run"
        ) from error


class RunOwner:
    """The right to write to a run, from `take` to `release`. `before`: the claim that this one follows, if any."""

    def __init__(self, store: Folder, claim: Claim, before: Claim | None) -> None:
        self._store, self.claim, self.before = store, claim, before
        self._lost: TakenOverError | None = None
        self._sure_until = _clock() + SURE
        self._left = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="owner", daemon=True)
        self._renewing.start()

    @classmethod
    def take(cls, store: Folder, *, locked: bool, settle: float) -> "RunOwner":
        """Take the run. locked: this process holds a file lock that every process of this kernel would hold; settle:
        seconds to wait for others. Errors: UsageError where another driver has the run, saying which."""
        before = newest_claim(store)
        if before is not None:
            _refuse_if_held(store, before, locked)
        number = before.incarnation + 1 if before else 1
        mine = Claim(number, secrets.token_hex(4), Process.here(), time.time())
        store.put(mine.name, [mine.to_json()])
        if settle:
            time.sleep(settle)
            newest = newest_claim(store)
            if newest is not None and newest.name > mine.name:
                store.remove(mine.name)
                raise _refusal(store, newest, "just now", STALE)
        for name in _claims(store):
            if name < mine.name:
                store.remove(name)
        return cls(store, mine, before)

    @property
    def lost(self) -> bool:
        """Whether another driver is known to have the run."""
        return self._lost is not None

    def check(self) -> None:
        """Raise TakenOverError where the run is lost. Costs nothing while the last renewal is fresh; else, as after
        the machine has slept, the store is asked. A store that does not answer is no loss yet."""
        if self._lost is not None:
            raise self._lost
        if _clock() > self._sure_until:
            self._sure_until = _clock() + SURE / 4
            with contextlib.suppress(CheckpointError):
                self._look()
            if self._lost is not None:
                raise self._lost

    def verify(self) -> None:
        """Ask the store. Errors: TakenOverError where the run is lost, CheckpointError where it does not answer."""
        if self._lost is None:
            self._look()
        if self._lost is not None:
            raise self._lost

    def release(self) -> None:
        """Let others have the run at once."""
        self._left.set()
        self._renewing.join(LEAVE)
        with contextlib.suppress(CheckpointError):  # others will have to wait until the claim is stale
            self.verify()
            self._put(replace(self.claim, time=time.time(), released=True))

    def _put(self, claim: Claim) -> None:
        self._store.put(claim.name, [claim.to_json()])

    def _look(self) -> None:
        newest = _claims(self._store)[-1:]
        if newest and newest[0] > self.claim.name:
            self._lost = TakenOverError(
                f"the run in {self._store.location} was taken over by another driver",
                expected=f"this one as its owner: {self.claim}",
                got=_described(self._store, newest[0]),
                do="let that one go on; this one has stopped and writes nothing more",
            )

    def _renew(self) -> None:
        while not self._left.wait(RENEWED) and not self.lost:
            begun = _clock()
            with contextlib.suppress(CheckpointError):  # the store may answer again the next time
                self._look()
                if not self.lost:
                    self._put(replace(self.claim, time=time.time()))
                    self._sure_until = begun + SURE


def _clock() -> float:
    """Seconds that also count while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _described(store: Folder, name: str) -> str:
    try:
        return str(_read(store, name))
    except (CheckpointError, FileNotFoundError):
        found = CLAIM.fullmatch(name)
        return f"incarnation {int(found[1]) if found else name}"


def _refuse_if_held(store: Folder, claim: Claim, locked: bool) -> None:
    """Nothing where the claim's driver has let go or is certainly gone."""
    here = Process.here()
    if claim.released or claim.process.is_gone(here) or (locked and claim.process.shares_kernel(here)):
        return
    age = _age(store, claim.name)
    if age < STALE:
        raise _refusal(store, claim, f"{age:.0f} s ago", STALE - age)


def _age(store: Folder, name: str) -> float:
    """Seconds since the claim was renewed, by the store's clock: clocks of two machines need not agree."""
    probe = f"{OWNERS}/now-{secrets.token_hex(4)}"
    store.put(probe, [b"now\n"])
    try:
        stats = store.stats(OWNERS)
        return max(0.0, stats[probe].modified - stats[name].modified) if name in stats else 0.0
    finally:
        store.remove(probe)


def _refusal(store: Folder, claim: Claim, heard: str, wait: float) -> UsageError:
    return UsageError(
        f"another driver trains the run in {store.location}",
        expected="one driver at a time",
        got=f"{claim}, heard of {heard}",
        do=f"wait for it, or stop it; if it was lost, give this command again in {wait:.0f} s",
    )
