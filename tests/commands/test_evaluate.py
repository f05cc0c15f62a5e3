"""`passion evaluate` on label maps: matching by name, scores in mm, failures counted, and what is refused."""

import json
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


def predicted(path, labels, modalities, only=None, case=None, demo=False):
    """A label map and its record as `passion predict` leaves them."""
    save(path, labels)
    record = {"case": case or path.name.removesuffix("_seg.nii.gz"), "modalities": modalities, "output": str(path)}
    record |= {"versions": {"passion_monai": "0"}, "options": {"only": only}, "demo": demo}
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(record))


def test_the_record_says_what_a_prediction_is_from(folders, tmp_path, caplog):
    truth = tumour((20, 20, 12))
    shutil.rmtree(folders[0])
    for case in ("case_a", "case_a_2"):
        predicted(folders[0] / f"{case}_seg.nii.gz", truth, ["t1", "flair"], only="flair+t1")
    table = evaluate(folders, tmp_path)
    assert {row.subset for row in table.rows} == {"flair+t1"}
    predicted(folders[0] / "case_a_t2_seg.nii.gz", truth, ["flair"], only="flair", case="case_a")
    table = evaluate(folders, tmp_path)
    assert table.values("dice", "flair", "WT") == {"case_a": 1.0, "case_a_2": 0.0}
    assert "is called like a prediction from t2, its record says flair" in caplog.text


def test_a_table_of_a_demo_models_predictions_says_so(folders, tmp_path, caplog):
    for demo in (False, True):
        caplog.clear()
        shutil.rmtree(folders[0], ignore_errors=True)
        for case in ("case_a", "case_a_2"):
            predicted(folders[0] / f"{case}_seg.nii.gz", tumour((20, 20, 12)), ["flair"], demo=demo)
        evaluate(folders, tmp_path)
        (text,) = {path.read_text() for path in tmp_path.rglob("eval/table.md")}
        assert ("DEMO MODEL" in text) is demo
        assert ("DEMO MODEL" in caplog.text) is demo


def test_cases_that_lack_modalities_are_no_failures(folders, tmp_path):
    truth = tumour((20, 20, 12))
    shutil.rmtree(folders[0])
    predicted(folders[0] / "case_a_seg.nii.gz", truth, ["flair", "t1"])
    predicted(folders[0] / "case_a_2_seg.nii.gz", truth, ["flair", "t1ce", "t1", "t2"])
    table = evaluate(folders, tmp_path)
    assert int(table.failed().sum()) == 0
    assert table.values("dice", "flair+t1", "WT") == {"case_a": 1.0}
    save(folders[1] / "b_seg.nii.gz", truth)
    table = evaluate(folders, tmp_path)  # b was to be predicted, too
    assert [row.case for row in table.rows if row.prediction_voxels == -1] == ["b"] * 3
    assert {row.subset for row in table.rows if row.case == "b"} == {"flair+t1ce+t1+t2"}


def test_a_record_that_does_not_fit_the_bundle_is_an_error(folders, tmp_path, capsys):
    predicted(folders[0] / "case_a_seg.nii.gz", tumour((20, 20, 12)), ["adc"])
    with pytest.raises(SystemExit, match="2"):
        evaluate(folders, tmp_path)
    assert "case_a_seg.json says that case_a_seg.nii.gz is from ['adc']" in capsys.readouterr().err


def test_records_of_other_programs_are_not_read(folders, tmp_path):
    (folders[0] / "case_a_seg.json").write_text('{"modalities": ["t1"]}')
    assert "flair+t1ce+t1+t2" in {row.subset for row in evaluate(folders, tmp_path).rows if row.case == "case_a"}


@pytest.mark.parametrize(
    ("case", "image", "label"),
    [
        ("BraTS20_Training_355", "{0}/{0}_flair.nii", "{0}/W39_1998.09.19_Segm.nii"),
        ("sub-01_ses-2", "sub-01/ses-2/anat/{0}_FLAIR.nii.gz", "derivatives/x/{0}_label-lesion_mask.nii.gz"),
        ("p1", "p1/FLAIR.nii.gz", "p1/seg.nii.gz"),
        ("Patient-001_week-000", "Patient-001/week-000/flair.nii.gz", "Patient-001/week-000/seg.nii.gz"),
        ("a", "x/a_flair.nii.gz/b.nii.gz", "x/a_seg.nii.gz/z.NII"),
        ("M\u00fcller [1]", "{0}_flair.NII.GZ", "{0}_seg.NII.GZ"),
    ],
)
def test_references_in_every_layout_that_training_reads(tmp_path, case, image, label):
    truth = tumour((20, 20, 12))
    for name in (image, label):
        save(tmp_path / "references" / name.format(case), truth)
    save(tmp_path / "predictions" / f"{case}_seg.nii.gz", truth)
    table = evaluate((tmp_path / "predictions", tmp_path / "references"), tmp_path)
    assert table.values("dice", "flair+t1ce+t1+t2", "WT") == {case: 1.0}


def test_references_of_a_decathlon_folder_and_of_a_list(tmp_path):
    truth, root = tumour((20, 20, 12)), tmp_path / "data"
    save(root / "imagesTr/a.nii.gz", np.stack([truth, truth], axis=-1))
    save(root / "labelsTr/a.nii.gz", truth)
    (root / "dataset.json").write_text(json.dumps({"modality": {"0": "FLAIR", "1": "T2"}}))
    (tmp_path / "list.json").write_text(
        json.dumps(
            {"test": [{"case": 0, "t2": None, "flair": "data/imagesTr/a.nii.gz", "label": "data/labelsTr/a.nii.gz"}]}
        )
    )
    for case, source in (("a", root), ("a", root / "labelsTr"), ("0", tmp_path / "list.json")):
        shutil.rmtree(tmp_path / "predictions", ignore_errors=True)
        save(tmp_path / "predictions" / f"{case}_seg.nii.gz", truth)
        table = evaluate((tmp_path / "predictions", source), tmp_path)
        assert table.values("dice", "flair+t1ce+t1+t2", "WT") == {case: 1.0}


def test_a_list_with_regions_of_ones_own(tmp_path):
    truth = tumour((20, 20, 12))
    for name in ("r/a.nii.gz", "predictions/x_seg.nii.gz"):
        save(tmp_path / name, truth)
    (tmp_path / "l.json").write_text(
        json.dumps({"test": [{"case": "x", "flair": "r/a.nii.gz", "label": "r/a.nii.gz"}]})
    )
    table = evaluate((tmp_path / "predictions", tmp_path / "l.json"), tmp_path, "--regions", "{'whole': [1, 2, 3]}")
    assert table.values("dice", "all", "whole") == {"x": 1.0}


def test_label_maps_in_other_formats(tmp_path):
    import itk

    truth = tumour((20, 20, 12)).astype(np.uint8)
    (tmp_path / "references").mkdir()
    image = itk.image_from_array(np.ascontiguousarray(truth.T))
    image.SetSpacing([2.0, 1.0, 1.0])
    itk.imwrite(image, str(tmp_path / "references" / "a_seg.mha"))
    save(tmp_path / "predictions/a_seg.nii.gz", truth, np.diag([-2.0, -1.0, 1.0, 1.0]))
    table = evaluate((tmp_path / "predictions", tmp_path / "references"), tmp_path)
    assert table.values("dice", "flair+t1ce+t1+t2", "WT") == {"a": 1.0}


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
        (reference_twice, "case 'case_a' is there twice, in"),
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
