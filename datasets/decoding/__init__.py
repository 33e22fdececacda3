"""Decoding: people's own pictures become the pixels of a table, by Pillow, on all cores."""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.datasets.decoding.heads import Heads as Heads, look as look
    from millrace.datasets.decoding.making import arrays_of as arrays_of, versions as versions
    from millrace.datasets.decoding.pixels import (
        BadPicture as BadPicture,
        Form as Form,
        fitted as fitted,
        opened as opened,
    )
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
