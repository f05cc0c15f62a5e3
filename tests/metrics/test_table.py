"""The table: keeps rows, survives a kill, and says what is wrong with a file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from passion_monai.metrics import SubsetTable, score_case
from tests.metrics.make import MODALITIES, REGIONS, random_table, tumour

SHAPE = (16, 16)


@pytest.fixture
def scores():
    return score_case(tumour(SHAPE, shift=1), tumour(SHAPE), REGIONS)


@pytest.fixture
def opened(tmp_path):
    table = SubsetTable(MODALITIES, list(REGIONS), source="a model")
    table.to_csv(tmp_path / "scores.csv")
    return tmp_path / "scores.csv", table


def test_means_by_hand():
    table = SubsetTable(["a", "b"], ["x"])
    rows = random_table(1, modalities=["a", "b"]).rows[0]._replace(region="x", reference_voxels=3, prediction_voxels=3)
    table.extend(rows._replace(case=str(i), subset="a+b", dice=i / 4, hd95=2.0 * i) for i in range(3))
    table.extend([rows._replace(case="3", subset="a+b", dice=0.0, hd95=np.nan, prediction_voxels=0)])
    np.testing.assert_equal(table.mean("dice"), [[np.nan], [np.nan], [0.75 / 4]])
    np.testing.assert_equal(table.mean("hd95", "brats")[2], [(0 + 2 + 4 + 374) / 4])
    np.testing.assert_equal(table.mean("hd95", "authors")[2], [(0 + 2 + 4 + 1) / 4])
    np.testing.assert_equal(table.mean("hd95", "defined-only")[2], [2.0])
    assert table.empty().tolist() == [[0], [0], [1]]
    assert table.count().tolist() == [[0], [0], [4]]
    assert table.values("hd95", "a+b", "x", "authors") == {"0": 0.0, "1": 2.0, "2": 4.0, "3": 1.0}


def test_average_is_a_mean_of_means():
    table = random_table()
    np.testing.assert_allclose(table.averages("dice"), table.mean("dice").mean(axis=0))
    assert table.mean("hd95").shape == (15, 3)


def test_file_round_trip(tmp_path):
    table = random_table()
    table.to_csv(tmp_path / "deep" / "scores.csv")
    again = SubsetTable.from_csv(tmp_path / "deep" / "scores.csv")
    assert (again.modalities, again.regions, again.cases) == (table.modalities, table.regions, table.cases)
    assert again.source == table.source
    np.testing.assert_allclose(again.mean("hd95", "authors"), table.mean("hd95", "authors"), rtol=1e-5)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["scores.csv"]


def test_awkward_case_names(tmp_path, scores):
    table = SubsetTable(MODALITIES, list(REGIONS))
    names = ["a,b", 'say "x"', "# no comment", "ünïcode"]
    for name in names:
        table.add(name, "t1", scores)
    table.to_csv(tmp_path / "scores.csv")
    assert SubsetTable.from_csv(tmp_path / "scores.csv").cases == names


def test_last_score_counts(opened, scores):
    path, table = opened
    worse = {region: values | {"dice": 0.0} for region, values in scores.items()}
    table.add("case_1", "t1", scores)
    table.add("case_1", "t1", worse)
    table.to_csv(path)
    for same in (table, SubsetTable.from_csv(path)):
        assert same.values("dice", "t1", "WT") == {"case_1": 0.0}


def test_rows_of_two_processes_merge(opened):
    path, table = opened
    whole = random_table()
    half = [row for row in whole.rows if row.case < "case_3"]
    table.extend(half)
    table.extend(row for row in whole.rows if row not in half)
    table.to_csv(path)
    np.testing.assert_allclose(SubsetTable.from_csv(path).mean("dice"), whole.mean("dice"), rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,dice\n", "not a score table of passion_monai"),
        ('# {"format": "passion_monai.scores", "version": 99}\n', "version 99, this passion_monai reads version 1"),
        ("NAMELESS\nCOLUMNS\n", "line 1: expected the lists 'modalities' and 'regions'"),
        ("HEAD\nHEADcase,dice\n", "line 2: expected the columns case,subset"),
        ("HEAD\nCOLUMNS\ncase_1,t1,WT,0.5\n", "line 3: not a row of 11 scores"),
        ("HEAD\nCOLUMNS\ncase_1,t1,WT,a,1,1,1,1,1,1,1\n", "line 3: not a row of 11 scores"),
        ("HEAD\nCOLUMNS\ncase_1,t1,WT,1.5,1,1,1,1,1,1,1\n", r"line 3: dice cannot be 1\.5; the file was changed"),
        ("HEAD\nCOLUMNS\ncase_1,t1,WT,-0.1,1,1,1,1,1,1,1\n", r"line 3: dice cannot be -0\.1"),
        ("HEAD\nCOLUMNS\ncase_1,t1,WT,nan,1,1,1,1,1,1,1\n", "line 3: dice cannot be nan"),
        ("HEAD\nCOLUMNS\ncase_1,t1,WT,inf,1,1,1,1,1,1,1\n", "line 3: dice cannot be inf"),
        ("HEAD\nCOLUMNS\ncase_1,t1,WT,1,-1,1,1,1,1,1,1\n", "line 3: hd95 cannot be -1"),
        ("HEAD\nCOLUMNS\ncase_1,t1,WT,1,1,1,1,2,1,1,1\n", "line 3: surface_dice_1mm cannot be 2"),
        ("HEAD\nCOLUMNS\ncase_1,t1,WT,1,1,1,1,1,1,-1,1\n", "line 3: reference_voxels cannot be -1"),
        ("HEAD\nCOLUMNS\ncase_1,t1,WT,1,1,1,1,1,1,1,-2\n", "line 3: prediction_voxels cannot be -2"),
        ("MANY\nCOLUMNS\n", r"scores\.csv names 40 modalities, at most 12"),
        ("DEEP\nCOLUMNS\n", "not a score table of passion_monai"),
        ("HEAD\nCOLUMNS\ncase_1,t3,WT,1,1,1,1,1,1,1,1\n", "subset 't3' is not in this table"),
    ],
)
def test_bad_files(opened, text, message):
    path, _ = opened
    head, columns = path.read_text().splitlines()
    nameless = head.replace("modalities", "modality")
    many = f"# {json.dumps({**json.loads(head[2:]), 'modalities': [f'm{n}' for n in range(40)]})}"
    text = text.replace("MANY", many).replace("DEEP", "# " + "[" * 100_000)
    path.write_text(text.replace("HEAD", head).replace("COLUMNS", columns).replace("NAMELESS", nameless))
    with pytest.raises(ValueError, match=message):
        SubsetTable.from_csv(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"score table .*scores\.csv does not exist"):
        SubsetTable.from_csv(tmp_path / "scores.csv")


def test_bad_scores(scores):
    table = SubsetTable(MODALITIES, list(REGIONS))
    with pytest.raises(ValueError, match=r"subset 't1\+flair' is not in this table: did you mean"):
        table.add("case_1", "t1+flair", scores)
    with pytest.raises(ValueError, match=r"lack the regions \['ET'\]"):
        table.add("case_1", "t1", {region: scores[region] for region in ("WT", "TC")})
    with pytest.raises(ValueError, match="region 'EX' is not in this table"):
        table.add("case_1", "t1", scores | {"EX": scores["ET"]})
    with pytest.raises(ValueError, match=r"must hold exactly dice, hd95.*; got dice"):
        table.add("case_1", "t1", scores | {"WT": {"dice": 1.0}})
    with pytest.raises(ValueError, match="metric 'hd59' is not in this table: did you mean 'hd95'"):
        table.mean("hd59")


def test_case_can_be_read_by_pandas(opened, scores):
    pandas = pytest.importorskip("pandas")
    opened[1].add("case_1", "t1", scores)
    opened[1].to_csv(opened[0])
    assert list(pandas.read_csv(opened[0], comment="#").region) == list(REGIONS)


def test_averages_leave_out_subsets_without_a_defined_value():
    table = SubsetTable(["a", "b"], ["x"])
    row = random_table(1, modalities=["a", "b"]).rows[0]._replace(region="x", reference_voxels=3, prediction_voxels=3)
    table.extend([row._replace(subset="a", dice=0.25), row._replace(subset="a+b", dice=0.75)])
    np.testing.assert_equal(table.mean("dice"), [[0.25], [np.nan], [0.75]])
    np.testing.assert_equal(table.averages("dice"), [0.5])
