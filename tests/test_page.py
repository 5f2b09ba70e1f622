from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from ocrtune.errors import ImageError
from ocrtune.page import (
    TextRegion,
    as_polygon,
    clockwise_from_top_left,
    image_size,
    read_image,
    reading_order,
    signed_area,
)


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    image = PIL.Image.new("RGB", (40, 20), (255, 0, 0))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg").shape == (40, 20, 3)
    assert image_size(tmp_path / "turned.jpg") == (20, 40)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "LA", "I;16"])
def test_every_pixel_mode_becomes_three_channels(tmp_path: Path, mode: str) -> None:
    PIL.Image.new(mode, (30, 20)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (20, 30, 3)
    assert image.dtype == np.uint8


def test_broken_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no image", encoding="utf-8")
    for name, says in (("gone.png", "does not exist"), ("empty.png", "empty"), ("text.png", "damaged or no image")):
        with pytest.raises(ImageError, match=says) as caught:
            read_image(tmp_path / name)
        assert caught.value.where == str(tmp_path / name)
    with pytest.raises(ImageError):
        read_image(tmp_path)


def test_orientation_of_outlines() -> None:
    clockwise = as_polygon([(0, 0), (10, 0), (10, 5), (0, 5)])
    counter = as_polygon([(0, 0), (0, 5), (10, 5), (10, 0)])
    assert signed_area(clockwise) == 50
    assert signed_area(counter) == -50
    assert clockwise_from_top_left(counter).tolist() == clockwise.tolist()
    assert cv2.contourArea(counter) == 50


def test_reading_order_is_rows_then_columns() -> None:
    def at(x: float, y: float) -> TextRegion:
        return TextRegion(as_polygon([(x, y), (x + 20, y), (x + 20, y + 10), (x, y + 10)]), text=f"{x},{y}")

    regions = [at(50, 31), at(0, 30), at(100, 0), at(0, 3), at(40, 1)]
    assert [r.text for r in reading_order(regions)] == ["0,3", "40,1", "100,0", "0,30", "50,31"]
    assert reading_order([]) == []
