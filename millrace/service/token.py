"""Tokens: what one is, for servers and clients alike. None is ever shown."""

from typing import overload

from millrace.errors import UsageError

TOKEN = "MILLRACE_TOKEN"
LEAST = 16  # characters


@overload
def checked_token(text: str, whence: str = ...) -> str: ...
@overload
def checked_token(text: None, whence: str = ...) -> None: ...
def checked_token(text: str | None, whence: str = "`token`") -> str | None:
    """The token without the white space around it; None for None. whence: what holds it, for the message. Errors:
    UsageError for a text that is none: gRPC takes no other characters in a header, and says so in no words."""
    if text is None:
        return None
    token = text.strip() if isinstance(text, str) else ""
    if len(token) < LEAST or not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(
            f"{whence} holds no token",
            expected=f"at least {LEAST} printable ASCII characters, without spaces",
            got=f"{len(token)} characters" if isinstance(text, str) else type(text).__name__,
            do="openssl rand -hex 32",
        )
    return token
