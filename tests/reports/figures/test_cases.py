"""Pictures of a case: what must be seen is there, in two and three dimensions, with and without missing modalities."""

from __future__ import annotations

import numpy as np
import pytest

from passion_monai.reports import plot_case
from tests.metrics.make import tumour
from tests.reports.look import comments_of

MODALITIES = ["flair", "t1ce", "t1", "t2"]
CLASSES = {1: "necrotic core", 2: "oedema", 3: "enhancing tumour"}


def make_case(shape):
    reference = tumour(shape)
    image = np.random.default_rng(0).normal(100, 10, (4, *shape)) + 50 * (reference > 0)
    return image, reference


@pytest.mark.parametrize("shape", [(24, 20), (24, 20, 12)])
def test_titles_classes_and_scores(tmp_path, shape):
    image, reference = make_case(shape)
    image[1] = image[2] = np.nan
    predictions = {"flair": np.zeros(shape, dtype=int), "flair+t2": reference}
    plot_case(tmp_path / "case.svg", image, reference, predictions, MODALITIES, CLASSES, title="case 7")
    seen = comments_of(tmp_path / "case.svg")
    wanted = {"flair", "t2", "flair + t2", "reference", "Dice 1.00 / 1.00 / 1.00", "Dice 0.00 / 0.00 / 0.00"}
    assert wanted | set(CLASSES.values()) <= seen
    assert not {"t1ce", "t1"} & seen
    assert ("case 7" if len(shape) == 2 else "case 7   slice 6 of 12") in seen


def test_a_constant_image_is_there(tmp_path):
    image, reference = make_case((16, 16, 12))
    image[:] = np.nan
    image[2] = 0  # what the z-score makes of a constant image
    plot_case(tmp_path / "case.svg", image, reference, {"t1": reference}, MODALITIES, CLASSES, title="cost $5_$ $")
    seen = comments_of(tmp_path / "case.svg")
    assert "t1" in seen
    assert not {"flair", "t1ce", "t2"} & seen
    assert any(line.startswith("cost $5_$ $") for line in seen)


def test_slice_with_most_foreground(tmp_path):
    image, reference = make_case((16, 16, 12))
    reference[:] = 0
    reference[4:6, 4:6, 2] = reference[4:9, 4:9, 9] = 1
    plot_case(tmp_path / "case.svg", image, reference, {"t1": reference}, MODALITIES, CLASSES)
    assert "slice 10 of 12" in comments_of(tmp_path / "case.svg")


def test_nothing_in_the_reference(tmp_path):
    image, reference = make_case((16, 16, 12))
    predicted = np.zeros_like(reference)
    predicted[3:5, 3:5, 4] = 1
    for name, labels, where in (("a", predicted, 5), ("b", 0 * predicted, 7)):
        plot_case(tmp_path / f"{name}.svg", image, 0 * reference, {"t1": labels}, MODALITIES, CLASSES)
        assert f"slice {where} of 12" in comments_of(tmp_path / f"{name}.svg")


def test_many_subsets_wrap(tmp_path):
    image, reference = make_case((16, 16))
    predictions = {f"t1+t2+flair+t1ce+{i}": reference for i in range(15)}
    plot_case(tmp_path / "case.svg", image, reference, predictions, MODALITIES, CLASSES)
    assert sum("Dice" in line for line in comments_of(tmp_path / "case.svg")) == 1  # a set: all 15 score alike
    assert (tmp_path / "case.svg").read_text().count("Dice 1.00") == 15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.ones((3, 16, 16))}, r"image must have shape \(M, \*S\) with M = 4"),
        ({"reference": np.ones((16, 15), dtype=int)}, r"'reference' must have the shape of the image \(16, 16\)"),
        ({"predictions": {}}, "at least one subset"),
        ({"predictions": {"t1": np.ones((3, 3), dtype=int)}}, r"'t1' must have the shape of the image"),
        ({"image": np.full((4, 16, 16), np.nan)}, "at least one available modality, all of flair"),
    ],
)
def test_bad_input(tmp_path, change, message):
    image, reference = make_case((16, 16))
    arguments = {"image": image, "reference": reference, "predictions": {"t1": reference}} | change
    with pytest.raises(ValueError, match=message):
        plot_case(tmp_path / "x.png", **arguments, modalities=MODALITIES, class_names=CLASSES)
