import numpy as np
import pytest

from passion_monai.reports.kept_cases import cut_slices, keep_cases, read_case, save_case, worth_keeping


@pytest.fixture
def volume():
    truth = np.zeros((30, 20, 12), dtype=np.int16)
    truth[8:20, 5:15, 2:11] = 2
    image = np.random.default_rng(0).normal(5, 1, truth.shape)
    image[:3] = 0
    return image, truth


def cut(volume, case="a", **kwargs):
    image, truth = volume
    images = {"t1": image, "t2": np.full_like(image, np.nan)}
    return cut_slices(case, images, truth, {"t1": truth * 0, "t1+t2": truth}, **kwargs)


def test_slices_are_of_the_labelled_part(volume):
    kept = cut(volume, spacing=(1.0, 2.0, 5.0))
    assert kept.indices == [2, 3, 5, 6, 7, 9, 10]
    assert (kept.depth, kept.aspect) == (12, 2.0)
    assert kept.reference.shape == (7, 28, 20)  # the box of what is not zero, one voxel wider
    np.testing.assert_array_equal(kept.predictions["t1+t2"], kept.reference)
    assert list(kept.images) == ["t1"]  # the other is missing
    assert (kept.images["t1"].min(), kept.images["t1"].max()) == (0, 255)


def test_a_constant_image_is_kept(volume, tmp_path):
    truth = volume[1]
    kept = cut_slices(
        "\u00fc" * 43, {"t1": np.zeros(truth.shape), "t2": np.full(truth.shape, 7.0)}, truth, {"t1": truth}
    )
    assert {name: int(image.max()) for name, image in kept.images.items()} == {"t1": 0, "t2": 255}
    save_case(kept, tmp_path)
    assert read_case(next(tmp_path.glob("*.npz"))).case == "\u00fc" * 43


def test_file_round_trip(volume, tmp_path):
    kept = cut(volume, case="a/b 1")
    save_case(kept, tmp_path)
    again = read_case(next(tmp_path.glob("*.npz")))
    assert (again.case, again.indices, again.depth, again.aspect) == ("a/b 1", kept.indices, 12, 1.0)
    np.testing.assert_array_equal(again.images["t1"], kept.images["t1"])
    assert list(again.predictions) == ["t1", "t1+t2"]


def test_large_slices_are_thinned():
    truth = np.ones((500, 410, 2), dtype=np.int8)
    kept = cut_slices("a", {"t1": truth * 1.0}, truth, {"t1": truth})
    assert kept.reference.shape == (2, 167, 137)


def test_two_dimensions_and_no_label():
    image = np.random.default_rng(0).random((8, 6))
    kept = cut_slices("a", {"t1": image}, np.zeros((8, 6), dtype=int), {"t1": np.zeros((8, 6), dtype=int)})
    assert (kept.reference.shape, kept.indices, kept.depth) == ((1, 8, 6), [0], 1)


def test_labels_beyond_a_byte(volume):
    image, truth = volume
    with pytest.raises(ValueError, match="case 'a': labels must lie in 0 to 255"):
        cut((image, truth * 300))


def test_a_damaged_file(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match=r"a\.npz holds no slices of a case"):
        read_case(tmp_path / "a.npz")


def test_the_worst_seen_in_any_order_are_kept(volume, tmp_path):
    names = [f"case_{i:02}" for i in range(30)]
    means = dict(zip(names, np.random.default_rng(1).random(30).tolist(), strict=True))
    seen = {}
    for name in names:
        seen[name] = means[name]
        if name in worth_keeping(names, seen):
            save_case(cut(volume, case=name), tmp_path)
    final = worth_keeping(names, means)
    keep_cases(tmp_path, final)
    assert {path.stem for path in tmp_path.iterdir()} == set(final)
    assert set(sorted(names, key=means.get)[:4]) <= set(final)
