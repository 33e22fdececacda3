"""Pictures of the plane."""

import numpy as np

from millrace.reports.plane import every_place, plane


def test_every_place_once_row_by_row() -> None:
    places = every_place()
    assert places.shape == (65536, 2, 1, 1)
    assert places[1, :, 0, 0].tolist() == [1, 0]
    assert places[256, :, 0, 0].tolist() == [0, 1]
    assert len(np.unique(places.reshape(-1, 2), axis=0)) == 65536


def test_regions_lie_where_the_probabilities_say() -> None:
    points, labels = every_place()[[0, 65535]], np.array([0, 1], np.uint8)
    right = (np.arange(65536) % 256 >= 128).astype(np.float64)
    picture = np.asarray(plane("half", points, labels, right))
    middle = picture[picture.shape[0] // 2]
    left, centre = middle[200].astype(int), middle[500].astype(int)
    assert left[2] > left[0]  # blue
    assert centre[0] > centre[2]  # orange
    alone = np.asarray(plane("alone", points, labels))
    assert alone[350, 350].tolist() == [255, 255, 255]


def test_the_same_picture_has_the_same_pixels() -> None:
    points, labels = every_place()[::700], (np.arange(94) % 2).astype(np.uint8)
    field = np.linspace(0, 1, 65536)
    assert np.array_equal(np.asarray(plane("t", points, labels, field)), np.asarray(plane("t", points, labels, field)))
