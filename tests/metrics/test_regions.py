import numpy as np
import pytest
import torch

from passion_monai.metrics import METRICS, ScoreRow, dice, hausdorff, region_masks, score_case, surface_dice
from tests.metrics.make import REGIONS, tumour

SPACING = (1.0, 0.8, 2.5)


@pytest.fixture
def case():
    return tumour((20, 24, 18), shift=1, scale=0.9), tumour((20, 24, 18))


def test_every_metric_of_every_region(case):
    scores = score_case(*case, REGIONS, SPACING)
    ours, theirs = (region_masks(labels, REGIONS) for labels in case)
    assert list(scores) == list(REGIONS)
    for name, values in scores.items():
        pair = ours[name], theirs[name]
        assert values == {
            "dice": dice(*pair),
            "hd95": hausdorff(*pair, 95, SPACING),
            "hd95_pooled": hausdorff(*pair, 95, SPACING, "pooled"),
            "hd100": hausdorff(*pair, 100, SPACING),
            "surface_dice_1mm": surface_dice(*pair, 1.0, SPACING),
            "surface_dice_2mm": surface_dice(*pair, 2.0, SPACING),
            "reference_voxels": theirs[name].sum(),
            "prediction_voxels": ours[name].sum(),
        }
    assert scores["WT"]["dice"] > scores["ET"]["dice"] > 0


def test_names_agree_with_the_rows_of_a_table(case):
    assert tuple(METRICS) == ScoreRow._fields[3:-2]
    assert tuple(score_case(*case, REGIONS)["WT"]) == ScoreRow._fields[3:]


def test_types_of_label_maps(case):
    expected = score_case(*case, REGIONS)
    assert score_case(torch.from_numpy(case[0]), torch.from_numpy(case[1]).float(), REGIONS) == expected


def test_background_can_be_a_region():
    labels = np.zeros((6, 6), dtype=int)
    assert score_case(labels, labels, {"background": (0,)})["background"]["reference_voxels"] == 36


def test_empty_maps():
    scores = score_case(np.zeros((6, 6)), np.zeros((6, 6)), REGIONS)["ET"]
    assert scores["dice"] == 1.0
    assert np.isnan(scores["hd95"])
    assert (scores["reference_voxels"], scores["prediction_voxels"]) == (0, 0)


@pytest.mark.parametrize(
    ("prediction", "regions", "message"),
    [
        (np.zeros((4, 5)), REGIONS, "same shape"),
        (np.full((4, 4), 0.3), REGIONS, "prediction must hold labels"),
        (np.full((4, 4), np.nan), REGIONS, "prediction must hold labels"),
        (np.zeros((4, 4)), {}, "at least one region"),
        (np.zeros((4, 4)), {"WT": ()}, r"regions\['WT'\] must have at least one label"),
    ],
)
def test_bad_input(prediction, regions, message):
    with pytest.raises(ValueError, match=message):
        score_case(prediction, np.zeros((4, 4)), regions)
