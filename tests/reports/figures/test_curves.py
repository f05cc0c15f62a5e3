"""Curves: every column is drawn, in files of every kind, and a bad CSV is explained."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from passion_monai.reports import plot_losses, plot_preference, plot_preferences
from passion_monai.reports.figures.curves import read_history
from passion_monai.reports.figures.style import LINE_COLOURS
from tests.reports.look import comments_of, share_of

PREFERENCE = "epoch,rp_flair,rp_t1,beta_flair,beta_t1\n1,.4,-.4,2,5\n2,.2,-.2,1.99,5.01\n3,.1,-.1,1.98,5.02\n"
LOSSES = "epoch,loss,segmentation,pixel\n1,2,1.5,.5\n2,1,.9,.01\n"


@pytest.fixture
def history(tmp_path):
    def write(text):
        (tmp_path / "history.csv").write_text(text)
        return tmp_path / "history.csv"

    return write


def test_one_line_a_modality(history, tmp_path):
    plot_preference(history(PREFERENCE), tmp_path / "preference.png")
    assert share_of(tmp_path / "preference.png", LINE_COLOURS[0]) > 1e-3
    assert share_of(tmp_path / "preference.png", LINE_COLOURS[1]) > 1e-3
    assert share_of(tmp_path / "preference.png", LINE_COLOURS[2]) == 0


def test_a_method_without_beta_has_one_panel(history, tmp_path):
    for name, text in (("two", PREFERENCE), ("one", "epoch,rp_flair\n1,0.1\n")):
        plot_preference(history(text), tmp_path / f"{name}.svg")
    assert "Gradient-wise" in (tmp_path / "two.svg").read_text()
    assert "Gradient-wise" not in (tmp_path / "one.svg").read_text()


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_same_bytes_twice(history, tmp_path, suffix):
    written = []
    for run in range(2):
        plot_losses(history(LOSSES), tmp_path / f"{run}" / f"loss.{suffix}")
        written.append((tmp_path / f"{run}" / f"loss.{suffix}").read_bytes())
    assert written[0] == written[1]


def test_terms_get_a_panel_of_their_own(history, tmp_path):
    plot_losses(history("epoch,loss\n1,2\n2,1\n"), tmp_path / "loss.svg")
    assert "Its terms" not in (tmp_path / "loss.svg").read_text()
    plot_losses(history(LOSSES), tmp_path / "terms.svg")
    assert "Its terms" in (tmp_path / "terms.svg").read_text()


def test_settings_of_the_user_stay(history, tmp_path):
    before = dict(mpl.rcParams)
    plot_losses(history(LOSSES), tmp_path / "loss.png")
    assert dict(mpl.rcParams) == before


def test_history_is_sorted_and_gaps_are_nan(history):
    read = read_history(history("epoch,loss\n2,\n1,3\n"))
    np.testing.assert_equal(read, {"epoch": [1, 2], "loss": [3, np.nan]})


@pytest.mark.parametrize(
    ("plot", "text", "message"),
    [
        (plot_losses, "", "must have a column 'epoch', got the columns none"),
        (plot_losses, "step,loss\n1,2\n", "must have a column 'epoch', got the columns step, loss"),
        (plot_losses, "epoch,loss\n", "holds no epoch"),
        (plot_losses, "epoch,loss\n1,a\n", "line 2: column 'loss' must hold numbers, got 'a'"),
        (plot_losses, "epoch,total\n1,2\n", "must have a column 'loss', got epoch, total"),
        (plot_preference, LOSSES, "must have columns rp_<modality>, got epoch, loss"),
    ],
)
def test_bad_csv(history, tmp_path, plot, text, message):
    with pytest.raises(ValueError, match=message):
        plot(history(text), tmp_path / "x.png")


def test_methods_side_by_side(history, tmp_path):
    plot_preferences({"baseline": history(PREFERENCE), "PASSION": history(PREFERENCE)}, tmp_path / "x.svg")
    assert {"baseline", "PASSION", "flair", "t1"} <= comments_of(tmp_path / "x.svg")


def test_methods_with_other_modalities(history, tmp_path):
    (tmp_path / "other.csv").write_text("epoch,rp_lge\n1,0\n")
    with pytest.raises(ValueError, match="the same columns rp_<modality>"):
        plot_preferences({"a": history(PREFERENCE), "b": tmp_path / "other.csv"}, tmp_path / "x.svg")
    with pytest.raises(ValueError, match="the same columns rp_<modality>"):
        plot_preferences({}, tmp_path / "x.svg")


def test_missing_csv(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"training history .*none\.csv does not exist"):
        plot_losses(tmp_path / "none.csv", tmp_path / "x.png")


def test_unknown_suffix(history, tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.pdf, \.svg; choose one of them instead of 'x\.jpg'"):
        plot_losses(history(LOSSES), tmp_path / "x.jpg")
