import pytest

from passion_monai.data.phantoms.cardiac_tissues import CARDIAC_TISSUES, cardiac_signals, nulling_time

# Computed from the equations by others (T1, T2, density as in CARDIAC_TISSUES): bSSFP, LGE, T2w.
PUBLISHED = {
    "blood": (0.163, 0.143, 0.508),
    "myocardium": (0.067, 0.000, 0.202),
    "oedema": (0.083, 0.059, 0.286),
    "scar": (0.069, 0.247, 0.230),
    "fat": (0.221, 0.367, 0.344),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_signals(name):
    signals = cardiac_signals(CARDIAC_TISSUES[name], nulling_time(480))
    assert tuple(signals.values()) == pytest.approx(PUBLISHED[name], abs=0.0006)


def test_the_nulled_tissue_has_no_signal():
    for tissue in CARDIAC_TISSUES.values():
        assert cardiac_signals(tissue, nulling_time(tissue.t1_post))["lge"] == pytest.approx(0, abs=1e-12)


def test_a_longer_echo_darkens_what_decays_fast():
    early, late = (cardiac_signals(CARDIAC_TISSUES["myocardium"], 322, scale)["t2"] for scale in (0.9, 1.1))
    assert early > late
