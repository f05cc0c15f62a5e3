import json

import numpy as np
import pytest

from passion_monai.metrics import SubsetTable, score_case
from passion_monai.reports import read_reliability, reliability_card, reliability_warnings, write_reliability

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
    warnings = reliability_warnings(card, "b")
    assert "never seen in training" in warnings[0]
    assert warnings[1].startswith("lesion is not supported by b: Dice 0.29 [0.29, 0.29], n = 5")
    assert warnings[2] == "lesion was seen in 1 of 1 patients without it"
    with pytest.raises(ValueError, match="does not know the subset 'c'"):
        reliability_warnings(card, "c")


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
