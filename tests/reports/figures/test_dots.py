import pytest
from PIL import Image

from passion_monai.reports import plot_balance


def test_many_methods_are_shown_in_rows_of_equal_panels(tmp_path):
    points = [("flair", 0.2, 0.1), ("t1", 0.8, -0.1)]
    sizes = []
    for number in (4, 7):
        path = tmp_path / f"{number}.png"
        plot_balance({f"method {n}": points for n in range(number)}, path)
        with Image.open(path) as picture:
            sizes.append(picture.size)
    (narrow, low), (wide, high) = sizes
    assert wide == narrow  # four and three panels
    assert high == pytest.approx(2 * low, rel=0.15)


def test_no_point_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least one method"):
        plot_balance({}, tmp_path / "balance.png")
