"""Error pictures: kinds of error by hand, and every method and subset is there."""

from __future__ import annotations

import numpy as np
import pytest

from passion_monai.reports import error_map, plot_errors
from passion_monai.reports.figures.overlays import ERROR_COLOURS
from tests.metrics.make import tumour
from tests.reports.look import comments_of, share_of

MODALITIES = ["flair", "t1"]
CLASSES = {1: "core", 2: "oedema", 3: "enhancing"}


def arguments(shape=(24, 24)):
    reference = tumour(shape)
    image = np.ones((2, *shape)) + (reference > 0)
    predictions = {
        "baseline": {"t1": np.roll(reference, 5, axis=0), "flair+t1": np.roll(reference, 2, axis=0)},
        "PASSION": {"t1": np.roll(reference, 2, axis=0), "flair+t1": reference},
    }
    return {"image": image, "reference": reference, "predictions": predictions}


def test_kinds_of_error():
    prediction, reference = np.array([[0, 1, 2], [3, 0, 1]]), np.array([[0, 1, 2], [0, 3, 2]])
    assert error_map(prediction, reference).tolist() == [[0, 1, 1], [2, 3, 4]]


@pytest.mark.parametrize("shape", [(24, 24), (24, 24, 10)])
def test_methods_subsets_and_scores(tmp_path, shape):
    plot_errors(tmp_path / "errors.svg", **arguments(shape), modalities=MODALITIES, class_names=CLASSES, title="case 7")
    seen = comments_of(tmp_path / "errors.svg")
    assert {"reference", "baseline", "PASSION", "Dice 1.00", "false positive", "wrong class"} <= seen
    assert ("case 7" in seen) == (len(shape) == 2)


def test_error_colours_show_errors_only(tmp_path):
    given = arguments()
    perfect = {"one": {"t1": given["reference"]}}
    for name, predictions in (("wrong", given["predictions"]), ("right", perfect)):
        path = tmp_path / f"{name}.png"
        plot_errors(path, **(given | {"predictions": predictions}), modalities=MODALITIES, class_names=CLASSES)
    legend_only = share_of(tmp_path / "right.png", ERROR_COLOURS[2])
    assert 0 < legend_only < 0.01
    assert share_of(tmp_path / "wrong.png", ERROR_COLOURS[2], tolerance=0.3) > 2 * legend_only


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": np.ones((3, 24, 24))}, r"image must have shape \(M, \*S\) with M = 2"),
        ({"predictions": {}}, "at least one method with one subset"),
        (
            {"predictions": {"a": {"t1": np.ones((24, 24))}, "b": {}}},
            r"must predict the subsets \['t1'\], 'b' has \[\]",
        ),
        ({"predictions": {"a": {"t1": np.ones((9, 9))}}}, r"predictions\['a'\]\['t1'\] must have shape \(24, 24\)"),
        ({"predictions": {"a": {"t9": np.ones((24, 24))}}}, "made of flair, t1, got t9"),
    ],
)
def test_bad_input(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        plot_errors(tmp_path / "x.png", **(arguments() | change), modalities=MODALITIES, class_names=CLASSES)
