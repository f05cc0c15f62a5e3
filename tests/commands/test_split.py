import json

import pytest

from passion_monai import cli
from passion_monai.data import case_lists
from tests.data.helpers import MODALITIES, touch
from tests.helpers.bundles import REPOSITORY


@pytest.fixture
def root(tmp_path):
    touch(tmp_path / "data", *(f"p{n}_{s}.nii.gz" for n in range(10) for s in ("flair", "t1ce", "t1", "t2", "seg")))
    return tmp_path / "data"


def test_a_split_with_a_setting_of_missing_rates(root, tmp_path, capsys):
    out = tmp_path / "out"
    cli.main(
        ["split", str(root), "--fractions", ".6,.2,.2", "--seed", "3", "--missing_rates", ".2,.4,.6,.8", "-o", str(out)]
    )
    lists = case_lists(root, MODALITIES, out / "data_list.json")
    assert [len(items) for items in lists.values()] == [6, 2, 2]
    assert "missing rates flair 0.167, t1ce 0.333, t1 0.667, t2 0.833" in capsys.readouterr().out
    assert json.loads((out / "split.json").read_text())["seed"] == 3


@pytest.mark.parametrize(
    ("rates", "names"),
    [
        ("[[.2,.4,.6,.8],[0,0,.5,0]]", ["flair-0_t1ce-0_t1-5_t2-0", "flair-2_t1ce-4_t1-6_t2-8"]),
        ("{t1: .25}", ["flair-0_t1ce-0_t1-2.5_t2-0"]),
        ("'0.1,0.1,0.1,0.1'", ["flair-1_t1ce-1_t1-1_t2-1"]),
    ],
)
def test_settings_in_several_spellings(root, tmp_path, rates, names):
    cli.main(["split", str(root), f"--missing_rates={rates}", "-o", str(tmp_path / "out")])
    tables = sorted(path.stem.removeprefix("availability_") for path in (tmp_path / "out").glob("*.csv"))
    assert tables == names


def test_folds_and_patients(root, tmp_path, capsys):
    command = ["split", str(root), "--fractions", ".9,.1", "--folds", "2", "--patient", "p[0-4]|p", "-o"]
    cli.main([*command, str(tmp_path / "out")])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "data_list_fold0.json",
        "data_list_fold1.json",
        "split.json",
    }
    assert "10 cases" not in capsys.readouterr().out.splitlines()[0]
    lists = case_lists(root, MODALITIES, tmp_path / "out" / "data_list_fold0.json")
    together = [{item["case"] for item in items} & {f"p{n}" for n in range(5, 10)} for items in lists.values()]
    assert sorted(map(len, together)) == [0, 0, 5]


def test_rates_are_in_the_order_of_the_bundle(tmp_path, capsys):
    touch(tmp_path / "data", *(f"p{n}_{s}.nii.gz" for n in range(10) for s in ("C0", "DE", "T2", "gd")))
    out = tmp_path / "out"
    for extra in ([], ["--bundle", str(REPOSITORY / "bundles" / "myops_passion")]):
        cli.main(
            ["split", str(tmp_path / "data"), "--missing_rates", ".2,.4,.6", "-o", str(out), *extra, "--overwrite"]
        )
        assert [path.stem for path in out.glob("*.csv")] == ["availability_bssfp-2_lge-4_t2-6"]
    with pytest.raises(SystemExit):
        cli.main(["split", str(tmp_path / "data"), "-o", str(tmp_path / "new"), "--bundle", str(tmp_path)])
    assert "is no bundle of this package" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
