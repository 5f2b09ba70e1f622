from __future__ import annotations

import numpy as np
import pytest

from ocrtune.runtime.preprocess import LinePreprocess

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("channels", ["bgr", "rgb"])
@pytest.mark.parametrize(("height", "width"), [(48, 30), (5, 1), (1, 1), (1, 7)])
def test_pixels_become_numbers_wherever_they_are_written(channels: str, height: int, width: int) -> None:
    preprocess = LinePreprocess.model_validate({"channels": channels, "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 1.0)})
    image = RNG.integers(0, 256, (height + 4, width + 3, 3), dtype=np.uint8)[2:-2, 1:-2]  # a part of a page
    ordered = image[..., ::-1] if channels == "rgb" else image
    expected = ((ordered / 255.0 - np.array(preprocess.mean)) / np.array(preprocess.std)).transpose(2, 0, 1)
    np.testing.assert_allclose(preprocess.normalise(image), expected, atol=1e-6)
    wider = np.full((3, height, width + 2), 7, np.float32)
    preprocess.normalise(image, wider[:, :, :width])
    np.testing.assert_allclose(wider[:, :, :width], expected, atol=1e-6)
    assert (wider[:, :, width:] == 7).all()


def test_lines_of_a_batch_are_padded_with_the_middle_of_the_range() -> None:
    preprocess = LinePreprocess()
    narrow, wide = (RNG.integers(0, 256, (48, width, 3), dtype=np.uint8) for width in (1, 60))
    batch = preprocess([narrow, wide], 64)
    assert batch.shape == (2, 3, 48, 64)
    np.testing.assert_allclose(batch[0, :, :, :1], narrow.transpose(2, 0, 1) / 127.5 - 1, atol=1e-6)
    np.testing.assert_allclose(batch[1, :, :, :60], wide.transpose(2, 0, 1) / 127.5 - 1, atol=1e-6)
    assert not batch[0, :, :, 1:].any()
    assert not batch[1, :, :, 60:].any()
