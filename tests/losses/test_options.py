import pytest

from passion_monai.losses import SegmentationLoss, variant_options

VARIANTS = {"paper": {"floor": 0.0, "decay": 1.0}, "reference": {"floor": 0.005, "decay": 0.5}}


def test_options_replace_the_variants_values():
    assert variant_options(VARIANTS, "reference", {"decay": 0.25}) == {"floor": 0.005, "decay": 0.25}
    assert VARIANTS["reference"]["decay"] == 0.5


def test_an_unknown_variant_names_the_nearest():
    with pytest.raises(ValueError, match=r"unknown variant 'referense': did you mean 'reference'"):
        variant_options(VARIANTS, "referense", {})


def test_an_unknown_option_names_the_known_ones():
    with pytest.raises(TypeError, match=r"unknown option 'zzz': known: floor, decay"):
        variant_options(VARIANTS, "paper", {"zzz": 1})


@pytest.mark.parametrize("floor", [-0.1, 1.0, float("nan")])
def test_a_floor_is_a_probability(floor):
    with pytest.raises(ValueError, match=rf"floor must be a probability in \[0, 1\), got {floor}"):
        SegmentationLoss(floor=floor)
