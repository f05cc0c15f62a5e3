"""Lesions by hand; panoptica is an extra, so everything but the errors is skipped without it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from passion_monai.metrics import lesion_scores


def boxes(*corners, shape=(30, 30, 12)):
    mask = np.zeros(shape, dtype=bool)
    for corner in corners:
        mask[tuple(slice(c, c + 4) for c in corner)] = True
    return mask


@pytest.fixture
def _panoptica():
    pytest.importorskip("panoptica", reason="panoptica is an extra: pip install passion_monai[lesions]")


@pytest.mark.usefixtures("_panoptica")
class TestCounts:
    def test_found_missed_invented(self):
        reference = boxes((2, 2, 2), (20, 20, 2), (2, 20, 6))
        prediction = boxes((3, 2, 2), (20, 20, 2), (12, 12, 2))
        scores = lesion_scores(prediction, reference)
        assert scores[:3] == (2, 1, 1)
        assert scores.f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
        assert scores.dice == pytest.approx((0.75 + 1.0) / 2)

    def test_overlap_decides(self):
        reference, prediction = boxes((2, 2, 2)), boxes((4, 2, 2))  # intersection over union is a third
        assert lesion_scores(prediction, reference, overlap=0.3).found == 1
        assert lesion_scores(prediction, reference, overlap=0.4)[:3] == (0, 1, 1)

    def test_empty_masks(self):
        nothing, something = boxes(), boxes((2, 2, 2), (20, 20, 2))
        np.testing.assert_equal(lesion_scores(nothing, nothing), (0, 0, 0, np.nan, np.nan))
        assert lesion_scores(nothing, something)[:4] == (0, 2, 0, 0.0)
        assert lesion_scores(something, nothing)[:4] == (0, 0, 2, 0.0)

    def test_two_dimensions(self):
        mask = boxes((2, 2), (9, 9), shape=(16, 16))
        assert lesion_scores(mask, mask) == (2, 0, 0, 1.0, 1.0)


def test_without_panoptica(monkeypatch):
    monkeypatch.setitem(sys.modules, "panoptica", None)
    with pytest.raises(ImportError, match=r"pip install \"passion_monai\[lesions\]\""):
        lesion_scores(boxes(), boxes())


@pytest.mark.parametrize("overlap", [0, 1.5])
def test_bad_overlap(overlap):
    with pytest.raises(ValueError, match=r"overlap must lie in \(0, 1\]"):
        lesion_scores(boxes(), boxes(), overlap)
