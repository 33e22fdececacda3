"""PNG against Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from millrace.formats.png import encode_many


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 8, 8), (3, 1, 7), (3, 32, 32), (1, 300, 2)])
def test_png_is_read_by_pillow(shape: tuple[int, int, int]) -> None:
    images = (np.arange(2 * np.prod(shape)) * 37 % 256).astype(np.uint8).reshape(2, *shape)
    for image, data in zip(images, encode_many(images), strict=True):
        with Image.open(io.BytesIO(data)) as picture:
            picture.verify()
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.mode == ("L" if shape[0] == 1 else "RGB")
            back = np.asarray(picture).reshape(*shape[1:], shape[0]).transpose(2, 0, 1)
        np.testing.assert_array_equal(back, image)
