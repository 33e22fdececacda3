"""Certificates in PEM files, and how long they are valid: the one thing that Python's ssl does not say of a file."""

import re
import ssl
from datetime import UTC, datetime

_FORMATS = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime, GeneralizedTime


_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


def certificates(pem: bytes) -> str:
    """The certificates of a PEM file, without what stands around them: people write notes there, in any encoding.
    Errors: ValueError where there are none."""
    found = _CERTIFICATE.findall(pem.decode("latin-1"))
    if not found:
        raise ValueError("no certificate")
    return "\n".join(found)


def valid_until(pem: bytes) -> datetime:
    """When the first certificate of a PEM file ends, from its DER (RFC 5280, 4.1). Errors: ValueError."""
    found = _CERTIFICATE.findall(certificates(pem))[0]
    der = ssl.PEM_cert_to_DER_cert(found.strip())
    inner = _content(_content(der))  # Certificate → TBSCertificate
    if inner[:1] == b"\xa0":  # the version, which the first one lacks
        inner = _after(inner)
    for _ in range(3):  # serial number, signature, issuer
        inner = _after(inner)
    ends = _after(_content(inner))  # Validity → notAfter
    if not ends or ends[0] not in _FORMATS:
        raise ValueError("no certificate")
    return datetime.strptime(_content(ends).decode("ascii"), _FORMATS[ends[0]]).replace(tzinfo=UTC)


def _span(der: bytes) -> tuple[int, int]:
    """Where the content of the first element begins and ends."""
    if len(der) < 2:
        raise ValueError("no certificate")
    if der[1] < 0x80:
        return 2, 2 + der[1]
    begin = 2 + (der[1] & 0x7F)
    return begin, begin + int.from_bytes(der[2:begin], "big")


def _content(der: bytes) -> bytes:
    begin, end = _span(der)
    return der[begin:end]


def _after(der: bytes) -> bytes:
    return der[_span(der)[1] :]
