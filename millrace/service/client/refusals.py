"""What a server refuses, as errors of ours; what is worth another try is none."""

import re

from millrace.errors import MillraceError, ServiceError, UsageError
from millrace.service.ticket import BAD_TICKET, NEWER_VERSION, OTHER_STREAM, OUT_OF_RANGE, TOO_LARGE, VERSION

# pyarrow puts text before and after a server's message, which is one line that begins with a code word.
_MESSAGE = re.compile(
    r"(?:^|with message: )([a-z-]+): ([^\n]*?)(?:\. Detail: |\. gRPC client debug|\. Client context|\n|$)"
)
_UNTRUSTED = re.compile(r"certificate verify failed:? ?([a-z -]*)|Verification Check failed|not in peer certificate")
_DO = {
    BAD_TICKET: "use a client and a server of one release",
    OTHER_STREAM: "connect anew for the stream that is served now, or serve the one that this client began with",
    TOO_LARGE: "serve with a larger --client-memory, or a smaller batch",
    NEWER_VERSION: "use a client and a server of one release",
    "unauthenticated": "give token=, or set MILLRACE_TOKEN",
    "internal": "see the server's log",
}


def told(error: BaseException) -> tuple[str, str]:
    """The code word of a server's answer and its reason; ("", the error's first line) for what no server said."""
    text = str(error)
    found = _MESSAGE.search(text)
    if found is None or found[1] not in (*_DO, OUT_OF_RANGE, "busy", "draining"):
        return "", (text.splitlines() or [type(error).__name__])[0].partition(". gRPC client debug")[0][:300]
    return found[1], found[2]


def refused(error: BaseException) -> MillraceError | None:
    """The error that a server's answer means; None where it, or another one, may answer later."""
    code, reason = told(error)
    if code == OUT_OF_RANGE:
        return UsageError("the server has no such rows", got=reason)
    if code == OTHER_STREAM:
        hers, _, ours = reason.removeprefix("this server has ").partition(", the ticket is for ")
        return other_stream(ours, hers)
    return ServiceError(f"the server refuses: {reason}", got=code, do=_DO[code]) if code in _DO else None


def untrusted(error: BaseException) -> ServiceError | None:
    """The error where no encrypted connection comes about and none will: gRPC calls such a server unavailable."""
    text = str(error)
    if found := _UNTRUSTED.search(text):
        return ServiceError(
            "the certificate of the server is not trusted",
            expected="one that `tls_roots`, else this machine, vouches for, made out for the host of the address",
            got=found[1] or "one of another host",
            do="give `tls_roots`, the PEM file of who signed it",
        )
    if "wrong version number" in text:
        return ServiceError("the server does not speak TLS", expected="grpc://HOST:PORT", got="grpc+tls://HOST:PORT")
    return None


def other_stream(ours: str, hers: str) -> ServiceError:
    """The error for a server that has another stream than the one that was begun: both by their digests."""
    return ServiceError("another stream is served there now", expected=ours, got=hers, do=_DO[OTHER_STREAM])


def check_version(described: object) -> None:
    """Raise a ServiceError where the server speaks a newer version of the protocol, or none at all."""
    version = described.get("millrace") if isinstance(described, dict) else None
    if not isinstance(version, int) or version < 1:
        raise ServiceError("this is no server of Millrace", expected="a server that `millrace serve` started")
    if version > VERSION:
        raise ServiceError(
            "the server speaks a newer version of the protocol",
            expected=f"version {VERSION} at most",
            got=f"version {version}, of release {described.get('release')}",  # type: ignore[attr-defined]
            do="install a newer client: pip install -U millrace",
        )
