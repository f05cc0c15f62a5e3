"""`passion evaluate` on label maps: matching by name, scores in mm, failures counted, and what is refused."""

import shutil

import nibabel
import numpy as np
import pytest

from passion_monai import cli
from passion_monai.metrics import SubsetTable
from tests.helpers.bundles import REPOSITORY
from tests.metrics.make import tumour

BUNDLE = str(REPOSITORY / "bundles" / "brats_passion")
AFFINE = np.diag([2.0, 1.0, 1.0, 1.0])


def save(path, labels, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(labels.astype(np.int16), affine), path)


@pytest.fixture
def folders(tmp_path):
    """Two cases; predictions from all modalities and from two subsets, of b only from all of them."""
    truth = tumour((20, 20, 12))
    references, predictions = tmp_path / "references", tmp_path / "predictions"
    for case in ("case_a", "case_a_2"):
        save(references / case / f"{case}_seg.nii.gz", np.where(truth == 3, 4, truth))  # BraTS calls ET 4
        save(references / case / f"{case}_flair.nii.gz", truth)
        save(predictions / f"{case}_seg.nii.gz", np.roll(truth, 1, axis=0))
    save(predictions / "case_a_flair+t1_seg.nii.gz", truth)
    save(predictions / "t2" / "case_a_seg.nii.gz", 0 * truth)
    return predictions, references


def evaluate(folders, tmp_path, *more):
    command = ["evaluate", "--predictions", str(folders[0]), "--references", str(folders[1])]
    words = [*command, "-o", str(tmp_path / "out"), *(more or ("--bundle", BUNDLE))]
    cli.main(words)
    return SubsetTable.from_csv(tmp_path / "out" / "eval" / "scores.csv")


def test_scores_in_mm_and_failures(folders, tmp_path, capsys):
    table = evaluate(folders, tmp_path)
    everything = "flair+t1ce+t1+t2"
    assert table.values("hd100", everything, "WT") == {"case_a": 2.0, "case_a_2": 2.0}
    assert table.values("dice", "flair+t1", "ET") == {"case_a": 1.0, "case_a_2": 0.0}
    assert table.values("hd95", "flair+t1", "WT", "brats") == {"case_a": 0.0, "case_a_2": 374.0}
    assert table.values("hd95", "t2", "TC", "brats") == {"case_a": 374.0, "case_a_2": 374.0}
    assert int(table.failed().sum()) == 2 * 3
    assert int(table.empty().sum()) == 3  # the empty prediction from t2
    printed = capsys.readouterr().out
    assert "2 predictions were not there: scored as failures" in printed
    assert (tmp_path / "out" / "eval" / "tables" / "overview.tex").is_file()
    cli.main(["report", str(tmp_path / "out"), "-o", str(tmp_path / "r.html")])
    assert "6 scores are of predictions that were not there" in (tmp_path / "r.html").read_text()


def test_a_failure_where_nothing_is_to_be_found(folders, tmp_path):
    save(folders[1] / "case_a_2" / "case_a_2_seg.nii.gz", np.zeros((20, 20, 12)))
    table = evaluate(folders, tmp_path)
    assert table.values("dice", "flair+t1", "WT")["case_a_2"] == 0.0
    assert table.values("hd95", "flair+t1", "WT", "authors")["case_a_2"] == 1.0


def test_regions_instead_of_a_bundle(folders, tmp_path):
    shutil.rmtree(folders[0] / "t2")
    (folders[0] / "case_a_flair+t1_seg.nii.gz").unlink()
    table = evaluate(folders, tmp_path, "--regions", "{'whole': [1, 2, 3, 4]}")
    assert (table.modalities, table.regions) == (["all"], ["whole"])
    assert table.count().tolist() == [[2]]


def test_predictions_without_a_reference_are_named(folders, tmp_path):
    save(folders[0] / "case_z_seg.nii.gz", tumour((20, 20, 12)))
    assert evaluate(folders, tmp_path).cases == ["case_a", "case_a_2"]
    assert "case_z_seg.nii.gz" in (tmp_path / "out" / "eval" / "evaluation.json").read_text()


def test_scored_again_when_a_file_changes(folders, tmp_path):
    before = evaluate(folders, tmp_path)
    save(folders[0] / "case_a_seg.nii.gz", np.roll(tumour((20, 20, 12)), 3, axis=0))
    after = evaluate(folders, tmp_path)
    assert after.source != before.source
    assert after.values("hd100", "flair+t1ce+t1+t2", "WT")["case_a"] == 6.0


def other_shape(predictions, references):
    save(predictions / "case_a_seg.nii.gz", tumour((20, 20, 13)))


def other_affine(predictions, references):
    save(predictions / "case_a_seg.nii.gz", tumour((20, 20, 12)), np.eye(4))


def outside(predictions, references):
    save(predictions / "case_a_seg.nii.gz", tumour((20, 20, 12)) * 7)


def outside_reference(predictions, references):
    save(references / "case_a" / "case_a_seg.nii.gz", tumour((20, 20, 12)) + 4)


def fractions(predictions, references):
    image = nibabel.Nifti1Image((tumour((20, 20, 12)) / 2).astype(np.float32), AFFINE)
    nibabel.save(image, predictions / "case_a_seg.nii.gz")


def truncated(predictions, references):
    path = predictions / "case_a_seg.nii.gz"
    path.write_bytes(path.read_bytes()[:60])


def no_predictions(predictions, references):
    shutil.rmtree(predictions)
    predictions.mkdir()


def other_names(predictions, references):
    no_predictions(predictions, references)
    save(predictions / "patient_1_seg.nii.gz", tumour((20, 20, 12)))


def twice(predictions, references):
    save(predictions / "all" / "case_a_seg.nii.gz", tumour((20, 20, 12)))


def reference_twice(predictions, references):
    save(references / "copy" / "case_a_seg.nii.gz", tumour((20, 20, 12)))


def no_references(predictions, references):
    shutil.rmtree(references)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_shape, r"case_a_seg.nii.gz has shape (20, 20, 13), its reference"),
        (other_affine, "case_a_seg.nii.gz has another affine than its reference"),
        (outside, "predictions/case_a_seg.nii.gz holds labels outside of the coding: 7, 14, 21; known: 0, 1, 2, 3, 4"),
        (outside_reference, "references/case_a/case_a_seg.nii.gz holds labels outside of the coding: 5, 6, 7"),
        (fractions, "case_a_seg.nii.gz must hold labels, found values that are no whole numbers"),
        (truncated, "case_a_seg.nii.gz cannot be read, it is damaged"),
        (no_predictions, "holds no label map (.nii, .nii.gz)"),
        (other_names, "belongs to a reference: found patient_1_seg.nii.gz, expected names like case_a_2_seg.nii.gz"),
        (twice, "case 'case_a' has two predictions from flair+t1ce+t1+t2"),
        (reference_twice, "case 'case_a' has two references"),
        (no_references, "references is no folder"),
    ],
)
def test_bad_label_maps(folders, tmp_path, capsys, spoil, message):
    spoil(*folders)
    with pytest.raises(SystemExit, match="2"):
        evaluate(folders, tmp_path)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "eval" / "scores.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name what to score: --predictions and --references, or a trained --bundle"),
        (["--predictions", "p"], "--predictions is given without --references"),
        (["--references", "r"], "--references is given without --predictions"),
        (["--predictions", "p", "--references", "r"], "name a --bundle or --regions"),
        (["--predictions", "p", "--references", "r", "--regions", "WT"], "--regions must name lists of labels"),
        (["--predictions", "p", "--references", "r", "--bundle", "nowhere"], "nowhere is no bundle of this package"),
        (
            ["--predictions", "p", "--references", "r", "--sektion", "x"],
            "options that label maps do not have: --sektion",
        ),
        (["--bundle", "nowhere"], "nowhere is no bundle of this package"),
        (["--bundle", BUNDLE, "--sektion", "test"], "unknown option --sektion: did you mean 'section'?"),
    ],
)
def test_bad_options(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["evaluate", *words])
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
