"""People's own pictures as a network's inputs: any size, PNG or JPEG, prepared as the training images were.

`digits`: MNIST's way (LeCun, Cortes, Burges): the ink, light on dark, is cut out, scaled into a box of 20 of 28 pixels
with its aspect kept, smoothed as it shrinks, and its centre of mass is put into the middle. Dark ink on light paper is
inverted. The 8×8 digits are filled to the edges, as theirs were. `photos`: the middle square, scaled. A network of
one's own pictures takes others as these were read: see `prepared_as_read`.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from millrace.errors import DataError, FormatError

U8Array = npt.NDArray[np.uint8]
if TYPE_CHECKING:
    from millrace.datasets.importers.options import Reading
LARGEST = 64_000_000  # pixels
INK = 0.2  # of the range between paper and ink: what is fainter is paper


def read_picture(path: Path) -> Image.Image:
    """The picture in this file, upright, without transparency; DataError or FormatError where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if picture.width * picture.height > LARGEST:
                    raise FormatError(
                        f"{path} is too large",
                        expected=f"at most {LARGEST:,} pixels",
                        got=f"{picture.width} × {picture.height}",
                    )
                return opaque(picture)
    except UnidentifiedImageError as error:
        raise FormatError(f"{path} is no picture", expected="PNG or JPEG", got="other bytes") from error
    except Image.DecompressionBombError as error:
        raise FormatError(f"{path} is too large", got=error) from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder", expected="a picture") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read as a picture", got=error.strerror or error, do="name a PNG or JPEG file"
        ) from error
    except (ValueError, SyntaxError) as error:
        raise FormatError(f"{path} is a damaged picture", got=error) from error


def opaque(picture: Image.Image) -> Image.Image:
    """The picture in RGB, upright, what is transparent in it white."""
    upright = ImageOps.exif_transpose(picture)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return upright.convert("RGB")


def prepared_as_read(source: Path | Image.Image, shape: tuple[int, int, int], reading: "Reading") -> U8Array:
    """A picture's file, or a picture, as uint8 (C, H, W): by the rules that a table's own pictures were read by, see
    `decoding.pixels`. A picture that was opened and not loaded is read as its file; any other counts as it stands, and
    stays as it is. DataError or FormatError where it cannot be taken."""
    from millrace.datasets.decoding import BadPicture, Form, decoded, opened

    form = Form((shape[1], shape[2]), shape[0], reading)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about metadata that is not used
            if isinstance(source, Image.Image):
                data = _encoded(source)
                picture = source.copy() if data is None else opened(data, reading.first_frame)
            else:
                picture = opened(source.read_bytes(), reading.first_frame)
            return np.ascontiguousarray(decoded(picture, form))
    except IsADirectoryError as error:
        raise DataError(f"{source} is a folder", expected="a picture") from error
    except OSError as error:
        raise DataError(f"{source} cannot be read as a picture", got=error.strerror or error) from error
    except BadPicture as error:
        raise FormatError(f"{source} cannot be taken", expected="a picture", got=error.what) from error


def _encoded(picture: Image.Image) -> bytes | None:
    """The file of a JPEG that was opened and is as it was then; None of any other picture. To decode it at a smaller
    scale would make it smaller for whoever opened it."""
    file: Any = getattr(picture, "fp", None)
    opened = picture.format in ("JPEG", "MPO") and file is not None and picture.tell() == 0
    if not opened or not getattr(picture, "tile", None) or getattr(picture, "decoderconfig", None):
        return None
    place = file.tell()
    file.seek(0)
    data: bytes = file.read()
    file.seek(place)
    return data


def prepared(picture: Image.Image, shape: tuple[int, int, int], way: str) -> U8Array:
    """The picture as uint8 (C, H, W). way: `digits` or `photos`, see above."""
    channels, height, width = shape
    if way == "digits" and channels == 1:
        return _digit(np.asarray(picture.convert("L"), np.float64), height, width)[None]
    square = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    if channels == 1:
        grey = np.asarray(square.convert("L"))
        return np.ascontiguousarray(_light_on_dark(grey.astype(np.float64)).astype(np.uint8)[None])
    return np.ascontiguousarray(np.moveaxis(np.asarray(square), -1, 0)[:channels])


def _light_on_dark(grey: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Inverted where the edge, which is paper, is the lighter part."""
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return 255.0 - grey if np.median(edge) > 127 else grey


def _digit(grey: npt.NDArray[np.float64], height: int, width: int) -> U8Array:
    light = _light_on_dark(grey)
    light -= np.median(np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]]))
    top = light.max()
    if top <= 0:
        return np.zeros((height, width), np.uint8)
    light = np.clip(light / top, 0, 1)
    ink = light > INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    digit = light[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    digit[digit < INK / 2] = 0
    mnist = min(height, width) >= 16
    box = round(min(height, width) * 20 / 28) if mnist else min(height, width)
    scale = box / max(digit.shape)
    size = max(1, round(digit.shape[1] * scale)), max(1, round(digit.shape[0] * scale))
    small = Image.fromarray((255 * digit).astype(np.uint8)).resize(size, Image.Resampling.LANCZOS)
    values = np.asarray(small, np.float64)
    values *= 255 / max(values.max(), 1)
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    mass = values.sum()
    middle_y, middle_x = ((y * values).sum() / mass, (x * values).sum() / mass) if mnist else (y.mean(), x.mean())
    return _placed(values, round((height - 1) / 2 - middle_y), round((width - 1) / 2 - middle_x), height, width)


def _placed(values: npt.NDArray[np.float64], top: int, left: int, height: int, width: int) -> U8Array:
    """The values in a dark image, moved back inside where they would stand over its edge."""
    top = min(max(top, 0), height - values.shape[0])
    left = min(max(left, 0), width - values.shape[1])
    out = np.zeros((height, width), np.uint8)
    out[top : top + values.shape[0], left : left + values.shape[1]] = np.rint(values).astype(np.uint8)
    return out
