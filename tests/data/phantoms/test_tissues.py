from passion_monai.data.phantoms.tissues import TISSUES, signals

SIGNALS = {name: signals(tissue) for name, tissue in TISSUES.items()}


def in_order(modality, *names):
    values = [SIGNALS[name][modality] for name in names]
    return values == sorted(values)


def test_t1_is_dark_in_fluid_and_bright_in_white_matter():
    assert in_order("t1", "grey", "white")
    assert SIGNALS["oedema"]["t1"] < SIGNALS["white"]["t1"]


def test_contrast_agent_brightens_enhancing_tumour_alone():
    gain = {name: signal["t1ce"] / signal["t1"] for name, signal in SIGNALS.items()}
    assert gain.pop("enhancing") > 1.5
    assert max(gain.values()) < 1.2
    assert SIGNALS["enhancing"]["t1ce"] > SIGNALS["white"]["t1ce"]


def test_t2_is_bright_in_fluid_and_oedema():
    assert in_order("t2", "white", "grey", "oedema", "necrosis", "fluid")


def test_flair_nulls_fluid_and_shows_oedema():
    assert SIGNALS["fluid"]["flair"] < 0.5 * SIGNALS["white"]["flair"]
    assert in_order("flair", "white", "grey", "oedema")
