"""How long a download may take, wait and try: every wait has a deadline."""

from dataclasses import dataclass, fields

from millrace.errors import UsageError


@dataclass(frozen=True)
class Patience:
    """Limits of a download; all times in seconds.

    connect, read: until a connection stands, until the next bytes come. floor, window: at least
    `floor` bytes per second over every `window`. attempts: per address, for faults that may pass;
    between them a pause of `pause`, doubled every time up to `longest_pause`. file: for one file, all
    addresses and attempts together. lock: for another process that fetches the same dataset.
    """

    connect: float = 10.0
    read: float = 30.0
    floor: float = 1024.0
    window: float = 30.0
    attempts: int = 3
    pause: float = 0.5
    longest_pause: float = 15.0
    redirects: int = 5
    file: float = 7200.0
    lock: float = 7200.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value >= (0 if field.name in ("floor", "pause", "redirects") else 1e-3):
                raise UsageError(f"the download limit {field.name} is out of range", got=value)
