"""One mask of a public-domain picture, pinned: a silent change of pre-processing or weights shows here.

After a new export, look at the mask and write it anew:  python -m tests.models.test_golden
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

GOLDEN = {name: Path(__file__).parent / f"golden_astronaut_{name}.png" for name in ("eoam", "eoam_plus")}
MODELS = Path(__file__).parents[2] / "models"
# Processors differ in the last bits of a sum, and a bit can turn a grey level; a changed channel order or scale moves
# thousands of pixels by dozens.
MEAN_LEVELS = 0.25
MOST_LEVELS = 6


def astronaut_mask(name: str) -> np.ndarray:
    """Run a shipped network on the upper part of scikit-image's astronaut, 256x144; returns (144, 256) uint8."""
    from skimage import data

    picture = np.asarray(data.astronaut())[:288]  # (288, 512, 3) RGB
    small = cv2.resize(picture, (256, 144), interpolation=cv2.INTER_AREA)
    frame = cv2.cvtColor(small, cv2.COLOR_RGB2BGRA)[None]
    session = onnxruntime.InferenceSession(str(MODELS / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["mask"], {"frame": frame})[0][0])


@pytest.mark.parametrize("name", GOLDEN)
def test_the_astronauts_mask_is_the_one_that_was_looked_at(name: str) -> None:
    golden = cv2.imread(str(GOLDEN[name]), cv2.IMREAD_GRAYSCALE)
    assert golden is not None
    difference = cv2.absdiff(golden, astronaut_mask(name))
    assert difference.mean() <= MEAN_LEVELS
    assert difference.max() <= MOST_LEVELS


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_mask_has_a_person_in_the_middle_and_a_room_in_the_corners(name: str) -> None:
    golden = cv2.imread(str(GOLDEN[name]), cv2.IMREAD_GRAYSCALE)
    assert golden is not None
    assert golden[50:60, 105:120].min() > 200  # the face
    assert golden[:12, 60:75].max() < 30  # the wall at the upper left
    assert 0.15 < (golden > 127).mean() < 0.7


if __name__ == "__main__":
    for each, file in GOLDEN.items():
        cv2.imwrite(str(file), astronaut_mask(each))
