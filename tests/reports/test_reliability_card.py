import json

import numpy as np
import pytest

from passion_monai.metrics import SubsetTable, score_case
from passion_monai.reports import read_reliability, reliability_card, reliability_warnings, write_reliability
from passion_monai.reports.reliability_card import is_synthetic

TRUTH = np.zeros((12, 12), dtype=int)
TRUTH[3:9, 3:9] = 1
SETTINGS = {"combinations": {"a+b": 3, "a": 2}, "sampling": "as_available"}


def table(cases=6):
    """Full set and ``a`` are right, ``b`` finds a part; the last case has no lesion."""
    made = SubsetTable(["a", "b"], ["lesion"])
    for n in range(cases):
        truth = TRUTH if n < cases - 1 else 0 * TRUTH
        part = np.where(np.arange(12)[:, None] < 4, TRUTH, 0)
        for subset, found in {"a": truth, "b": part, "a+b": truth}.items():
            made.add(f"case{n}", subset, score_case(found, truth, {"lesion": (1,)}))
    return made


def test_supported_seen_and_counted():
    card = reliability_card(table(), SETTINGS)["subsets"]
    good, weak = card["a"]["regions"]["lesion"], card["b"]["regions"]["lesion"]
    assert (good["dice"], good["low"], good["patients"], good["supported"]) == (1, 1, 5, True)
    assert (weak["supported"], weak["patients_without"], weak["false_alarms"]) == (False, 1, 1)
    assert [card[name]["seen"] for name in ("a", "b", "a+b")] == [True, False, True]
    assert card["b"]["training_cases"] == {"exactly": 0, "at_least": 3}


def graded(values):
    """Scores of patients who have the region, of ``a`` as given and of all modalities perfect."""
    made = SubsetTable(["a", "b"], ["lesion"])
    perfect = score_case(TRUTH, TRUTH, {"lesion": (1,)})["lesion"]
    for n, value in enumerate(values):
        for subset in made.subsets:
            made.add(f"case{n}", subset, {"lesion": {**perfect, "dice": value if subset == "a" else 1.0}})
    return reliability_card(made, SETTINGS)["subsets"]["a"]["regions"]["lesion"]


def test_the_lower_end_of_the_interval_decides():
    """The mean is above 0.5 and above half of the full set's in both: only what the interval says differs."""
    unsure = graded([1.0, 1.0, 0.9, 0.1, 0.1, 0.2])
    assert unsure["dice"] == 0.55
    assert unsure["low"] < 0.5
    assert unsure["supported"] is False
    sure = graded([0.55] * 6)
    assert (sure["dice"], sure["low"], sure["supported"]) == (0.55, 0.55, True)
    assert graded([0.5] * 6)["supported"] is True  # at least 0.5


def test_half_of_the_full_set_decides_too():
    below = graded([0.49] * 6)
    assert (below["low"], below["supported"]) == (0.49, False)


def test_a_method_that_samples_subsets_has_seen_them():
    card = reliability_card(table(), {**SETTINGS, "sampling": "random_subset"})
    assert card["subsets"]["b"]["seen"] is True
    assert reliability_card(table(), {})["subsets"]["b"]["seen"] is None


def test_one_patient_has_no_interval_and_supports_nothing():
    scores = reliability_card(table(cases=2), SETTINGS)["subsets"]["a"]["regions"]["lesion"]
    assert (scores["dice"], scores["low"], scores["supported"]) == (1.0, None, False)
    nobody = reliability_card(table(cases=1), SETTINGS)["subsets"]["a"]["regions"]["lesion"]
    assert (nobody["dice"], nobody["supported"]) == (None, None)


def test_warnings_in_sentences():
    card = reliability_card(table(), SETTINGS)
    assert reliability_warnings(card, "a") == []
    assert reliability_warnings(card, "b") == [
        "No training case had exactly these scans: b. The model did not learn from this.",
        "Do not rely on lesion from b: its agreement with the experts' outline was poor or uncertain in 5 test "
        "patients (mean Dice 0.29, 95 % interval 0.29 to 0.29; 1 is perfect).",
        "lesion may be marked where there is none: of 1 test patient who had no lesion, the model marked some in 1.",
    ]
    nobody = reliability_card(table(cases=1), SETTINGS)
    assert reliability_warnings(nobody, "a") == ["Nothing is known about lesion from a: no test patient had lesion."]
    with pytest.raises(ValueError, match="does not know the subset 'c'"):
        reliability_warnings(card, "c")


def test_a_wide_interval_supports_nothing():
    """The mean is well above one half, the lower end of the interval is not."""
    made = SubsetTable(["a"], ["lesion"])
    for n in range(6):
        found = TRUTH if n < 3 else np.where(np.arange(12)[:, None] < 4, TRUTH, 0)
        made.add(f"case{n}", "a", score_case(found, TRUTH, {"lesion": (1,)}))
    scores = reliability_card(made, SETTINGS)["subsets"]["a"]["regions"]["lesion"]
    assert scores["dice"] > 0.6 > 0.5 > scores["low"]
    assert scores["supported"] is False


@pytest.mark.parametrize("why", ["demo", "synthetic"])
def test_scores_of_synthetic_images_support_nothing(why):
    card = reliability_card(table(), {**SETTINGS, why: True})
    assert card["synthetic"] is True
    assert {row["supported"] for each in card["subsets"].values() for row in each["regions"].values()} == {False}
    assert reliability_warnings(card, "a") == [
        "The model was tested on synthetic images alone: nothing is known about patients with a."
    ]
    older = {**reliability_card(table(), SETTINGS), "data": "brain phantom"}
    del older["synthetic"]
    assert is_synthetic(older)
    assert not is_synthetic({**older, "data": "BraTS2020"})


def test_the_card_belongs_to_its_model(tmp_path):
    model = tmp_path / "model.pt"
    assert read_reliability(model) is None
    model.write_bytes(b"weights")
    path = write_reliability(table(), model, SETTINGS, "made-up cases")
    assert path == tmp_path / "reliability.json"
    assert read_reliability(model)["data"] == "made-up cases"
    model.write_bytes(b"other weights")
    with pytest.raises(ValueError, match="belongs to another model"):
        read_reliability(model)
    path.write_text(json.dumps({"version": 2}))
    with pytest.raises(ValueError, match="no reliability card of version 1"):
        read_reliability(model)
    path.write_text("{")
    with pytest.raises(ValueError, match="no valid JSON"):
        read_reliability(model)
