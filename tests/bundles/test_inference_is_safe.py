"""inference.json writes where it was told to and nowhere else, in pairs, and goes on where it was stopped."""

import json

import pytest

from tests.helpers.bundles import options, run
from tests.helpers.scans import affine, bright_bundle, head, write_nifti


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return bright_bundle(tmp_path_factory.mktemp("bundle"))


def infer(bundle, **values):
    return run(
        "run", "--config_file", str(bundle / "configs/inference.json"), *options(values), cwd=bundle, check=False
    )


def last(done):
    assert done.returncode != 0
    return done.stderr.strip().splitlines()[-1]


def listing(path, *names):
    path.write_text(json.dumps({"test": [{"case": name, "flair": str(path.parent / "a.nii.gz")} for name in names]}))
    return path


@pytest.fixture
def scan(tmp_path):
    return write_nifti(tmp_path / "a.nii.gz", head(affine()))


def test_a_case_or_a_postfix_is_no_path(bundle, tmp_path, scan):
    victim = tmp_path / "victim" / "scan_seg.nii.gz"
    victim.parent.mkdir()
    victim.write_bytes(b"precious")
    out = tmp_path / "results" / "out"
    found = listing(tmp_path / "list.json", "good", "../../victim/scan")
    said = last(infer(bundle, data_list_file_path=found, output_dir=out, overwrite=True))
    assert "'../../victim/scan'" in said
    found = listing(tmp_path / "list.json", "good")
    said = last(infer(bundle, data_list_file_path=found, output_dir=out, output_postfix="../../victim/scan_seg"))
    assert said.startswith("error: --output_postfix '../../victim/scan_seg' is a path, expected a name")
    assert victim.read_bytes() == b"precious"
    assert not out.exists()


def test_it_goes_on_where_it_was_stopped(bundle, tmp_path, scan):
    out = tmp_path / "out"
    values = {"data_list_file_path": listing(tmp_path / "list.json", "one", "two"), "output_dir": out}
    done = infer(bundle, **values)
    assert done.returncode == 0, done.stderr[-3000:]
    names = ["one_seg.json", "one_seg.nii.gz", "two_seg.json", "two_seg.nii.gz"]
    assert sorted(path.name for path in out.iterdir()) == names
    kept = (out / "one_seg.nii.gz").stat().st_mtime_ns
    (out / "two_seg.nii.gz").unlink()
    (out / ".passion_drafts").mkdir()
    (out / ".passion_drafts" / "two_seg.nii.gz").write_bytes(b"half")
    done = infer(bundle, **values)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "1 of 2 cases are there already" in done.stdout
    assert "1/1 two from flair" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == names
    assert (out / "one_seg.nii.gz").stat().st_mtime_ns == kept
    said = last(infer(bundle, **values, uncertainty="entropy"))
    assert "exists already: choose another --output_dir, or replace it with --overwrite true" in said


def test_one_damaged_case_does_not_stop_the_others(bundle, tmp_path, scan):
    whole = scan.read_bytes()
    (tmp_path / "bad.nii.gz").write_bytes(
        whole[:-6] + bytes(b ^ 255 for b in whole[-6:-4]) + whole[-4:]
    )  # its checksum
    cases = [{"case": name, "flair": str(tmp_path / file)} for name, file in (("x", "bad.nii.gz"), ("y", "a.nii.gz"))]
    (tmp_path / "list.json").write_text(json.dumps({"test": cases}))
    done = infer(bundle, data_list_file_path=tmp_path / "list.json", output_dir=tmp_path / "out")
    assert last(done) == "error: 1 of 2 cases were not predicted: x"
    assert (
        f"x: not predicted: case 'x': flair file {tmp_path / 'bad.nii.gz'} cannot be read" in done.stdout + done.stderr
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["y_seg.json", "y_seg.nii.gz"]


@pytest.mark.slow
def test_other_maps_come_along(bundle, tmp_path, scan):
    values = {"data_list_file_path": listing(tmp_path / "list.json", "one"), "output_dir": tmp_path / "out"}
    done = infer(bundle, **values, probabilities="true", output_postfix="labels")
    assert done.returncode == 0, done.stderr[-3000:]
    names = ["one_labels.json", "one_labels.nii.gz", "one_probabilities.nii.gz"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
