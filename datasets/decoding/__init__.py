"""Decoding: people's own pictures become the pixels of a table, by Pillow, on all cores."""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.datasets.decoding.arranging import arranged as arranged
    from millrace.datasets.decoding.contents import same_content as same_content
    from millrace.datasets.decoding.heads import Heads as Heads, look as look
    from millrace.datasets.decoding.making import (
        Made as Made,
        form_of as form_of,
        make_tables as make_tables,
        ordered as ordered,
        refused as refused,
        versions as versions,
    )
    from millrace.datasets.decoding.pixels import (
        WIDE as WIDE,
        BadPicture as BadPicture,
        Form as Form,
        decoded as decoded,
        fitted as fitted,
        opened as opened,
    )
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
