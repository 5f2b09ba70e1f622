from __future__ import annotations

import numpy as np
import pytest

from ocrtune.errors import ImageError
from ocrtune.serving.images import decoded
from ocrtune.serving.limits import Limits
from support.serving import painted


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow on damaged files
def test_damaged_files_are_an_image_or_an_image_error(suffix: str) -> None:
    """Bytes of a real file are changed, left out and cut off at random places."""
    rng, whole = np.random.default_rng(0), np.frombuffer(painted(70, 50, suffix), np.uint8)
    refused = 0
    for _ in range(150):
        content = whole.copy()
        # the head says the size, the offsets and the tables: most damage goes there
        places = rng.integers(0, min(len(whole), int(rng.choice([40, 4000]))), rng.integers(1, 6))
        content[places] = rng.integers(0, 256, len(places))
        cut = content[: len(content) - int(rng.choice([0, 1, len(content) // 2]))]
        try:
            image = decoded(cut.tobytes(), "a", Limits(pixels=100_000))
        except ImageError:
            refused += 1
        else:
            assert image.ndim == 3
            assert image.shape[0] * image.shape[1] <= 100_000
    assert refused > 10
