"""Exported bundles: complete, nothing else in them, the same bytes twice, running where nothing is installed."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from monai.bundle import download_large_files

from passion_monai import cli
from passion_monai.sharing.bundles import CHECKSUMS, export_bundle, file_sha256, zip_folder
from passion_monai.sharing.zoo import check_bundle
from tests.helpers.bundles import TINY, copy_bundles, options

# Only what lies in the folder PASSION_FOLDER may be imported as passion_monai, and only when Python searches there.
ONLY_HERE = """
import os, sys
from importlib.machinery import PathFinder

class OnlyHere:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "passion_monai":
            return None
        folder = os.environ["PASSION_FOLDER"]
        spec = PathFinder.find_spec(name, [folder]) if folder in map(os.path.abspath, sys.path) else None
        if spec is None:
            raise ModuleNotFoundError("passion_monai is not installed", name=name)
        return spec

sys.meta_path.insert(0, OnlyHere())
"""


@pytest.fixture
def bundle(tmp_path):
    """A bundle as it looks after work: results, data and a cache lie in it."""
    folder = copy_bundles(tmp_path) / "bundles" / "myops_passion"
    for name in ("data/patient_1/image.nii.gz", "cache/1.pt", "eval/scores.csv", "models/checkpoint.pt", ".env"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("private")
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_what_belongs_to_a_bundle_is_copied(bundle, tmp_path):
    folder = export_bundle(bundle, tmp_path / "out", weights=False)
    shared = {name for name in files(bundle) if name.startswith(("configs/", "docs/"))}
    assert files(folder) == shared | {"LICENSE", CHECKSUMS}
    assert {"docs/README.md", "docs/phantom_case.png"} < shared
    assert json.loads((folder / "configs/metadata.json").read_text())["required_packages_version"]["passion_monai"]
    assert files(tmp_path / "out") == {f"myops_passion/{name}" for name in files(folder)}


def test_the_package_is_vendored_and_no_longer_required(bundle, tmp_path):
    folder = export_bundle(bundle, tmp_path / "out", vendor=True, weights=False)
    found = files(folder)
    assert {
        "passion_monai/cli.py",
        "passion_monai/py.typed",
        "passion_monai/data/availability/splits/brats2020/train.txt",
    } <= found
    assert not [name for name in found if "__pycache__" in name]
    assert (
        "passion_monai" not in json.loads((folder / "configs/metadata.json").read_text())["required_packages_version"]
    )
    assert [problem[:24] for problem in check_bundle(folder)] == ["models/model.pt is missi"]


def test_checksums_are_those_of_all_files(bundle, tmp_path):
    folder = export_bundle(bundle, tmp_path / "out", weights=False)
    lines = [line.split("  ") for line in (folder / CHECKSUMS).read_text().splitlines()]
    assert {name for _, name in lines} == files(folder) - {CHECKSUMS}
    assert all(file_sha256(folder / name) == digest for digest, name in lines)


def test_the_zip_is_the_same_bytes_every_time(bundle, tmp_path):
    archives = []
    for n in (1, 2):
        folder = export_bundle(bundle, tmp_path / str(n), weights=False)
        os.utime(folder / "LICENSE", (n, 10**9 * n))
        archives.append(zip_folder(folder, tmp_path / f"{n}.zip"))
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as archive:
        assert set(archive.namelist()) == {f"myops_passion/{name}" for name in files(folder)}


def test_published_weights_are_listed_and_downloaded_with_a_checked_hash(bundle, tmp_path):
    (bundle / "models/model.pt").write_bytes(b"weights")
    place = tmp_path / "out" / "myops_passion_weights"
    folder = export_bundle(bundle, tmp_path / "out", weights_url=place.as_uri())
    assert not (folder / "models" / "model.pt").exists()
    assert check_bundle(folder) == []
    download_large_files(bundle_path=str(folder))
    assert (folder / "models" / "model.pt").read_bytes() == b"weights"
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match=r"myops_passion_weights exists: .* --overwrite"):
        export_bundle(bundle, tmp_path / "out", weights_url=place.as_uri())


def test_a_former_export_is_replaced_on_demand_and_nothing_else_ever(bundle, tmp_path):
    folder = export_bundle(bundle, tmp_path / "out", vendor=True, weights=False)
    with pytest.raises(ValueError, match=r"out/myops_passion exists: .* --overwrite"):
        export_bundle(bundle, tmp_path / "out", weights=False)
    export_bundle(bundle, tmp_path / "out", weights=False, overwrite=True)
    assert not (folder / "passion_monai").exists()
    (folder / CHECKSUMS).unlink()
    with pytest.raises(ValueError, match=r"is no former export \(it has no SHA256SUMS\)"):
        export_bundle(bundle, tmp_path / "out", weights=False, overwrite=True)


@pytest.mark.parametrize("target", ["bundles", "bundles/myops_passion/models", "."])
def test_the_bundle_itself_is_never_written_to(bundle, tmp_path, target):
    if target == ".":
        bundle.rename(tmp_path / "inner")
        shutil.copytree(tmp_path / "inner", tmp_path / "myops_passion" / "bundle")
        bundle = tmp_path / "myops_passion" / "bundle"
    before = files(bundle)
    with pytest.raises(ValueError, match=r"would lie on or in the bundle"):
        export_bundle(bundle, tmp_path / target, weights=False, overwrite=True)
    assert files(bundle) == before


def test_a_bundle_cannot_name_another_place(bundle, tmp_path):
    path = bundle / "configs" / "metadata.json"
    path.write_text(path.read_text().replace('"name": "myops_passion"', '"name": "../elsewhere"'))
    with pytest.raises(ValueError, match=r"metadata\.json: name '\.\./elsewhere' is a path"):
        export_bundle(bundle, tmp_path / "out", weights=False)


def set_metadata(bundle, **values):
    path = bundle / "configs" / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("version", ["../../victim", "1/2", None, "1\n2", 0.1])
def test_a_version_cannot_name_another_place(bundle, tmp_path, capsys, version):
    set_metadata(bundle, version=version)
    with pytest.raises(SystemExit):
        cli.main(["export-bundle", str(bundle), str(tmp_path / "out"), "--zip", "--without_weights"])
    said = capsys.readouterr().err
    assert "metadata.json: version" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_what_is_not_declared_stays_and_is_listed(bundle, tmp_path, capsys):
    (tmp_path / "secret.txt").write_text("private")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "scan.nii.gz").write_text("private")
    private = ("docs/patients.csv", "docs/deep/scan.nii.gz", "configs/mine.json", "scripts/notes.py", "configs/.env")
    for name in private:
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_text("private")
    (bundle / "docs" / "link.txt").symlink_to(tmp_path / "secret.txt")
    (bundle / "docs" / "folder").symlink_to(tmp_path / "secrets")
    (bundle / "docs" / "README.md").unlink()
    (bundle / "docs" / "README.md").symlink_to(tmp_path / "secret.txt")  # a name that is always taken
    (bundle / "docs" / "bad\x1b[2J.txt").write_text("private")
    cli.main(["export-bundle", str(bundle), str(tmp_path / "out"), "--without_weights"])
    folder = tmp_path / "out" / "myops_passion"
    assert not [name for name in files(folder) if "private" in (folder / name).read_text(errors="replace")]
    said = capsys.readouterr().out
    listed = set(said[said.index("left out") : said.index("model zoo")].splitlines()[1:])
    wanted = {*private, "docs/link.txt", "docs/folder", "docs/README.md", "models/checkpoint.pt", ".env"}
    assert listed == {f"  {name}" for name in wanted} | {
        "  data/ (1 files)",
        "  cache/ (1 files)",
        "  eval/ (1 files)",
        "  docs/bad\\x1b[2J.txt",
    }


def test_what_is_declared_is_packed(bundle, tmp_path):
    (bundle / "scripts").mkdir()
    (bundle / "scripts" / "mine.py").write_text("pass")
    set_metadata(bundle, bundle_files=["scripts/mine.py"])
    folder = export_bundle(bundle, tmp_path / "out", weights=False)
    assert "scripts/mine.py" in files(folder)
    assert "docs/phantom_case.png" not in files(folder)


@pytest.mark.parametrize("names", [["../secret.txt"], ["/etc/hostname"], ["docs/nothing.png"], "docs/README.md", [1]])
def test_a_declared_file_lies_in_the_bundle(bundle, tmp_path, names):
    (bundle.parent / "secret.txt").write_text("private")
    set_metadata(bundle, bundle_files=names)
    with pytest.raises(ValueError, match=r"metadata\.json: bundle_files"):
        export_bundle(bundle, tmp_path / "out", weights=False)
    assert not (tmp_path / "out").exists()


def test_weights_that_are_a_link_out_of_the_bundle_are_refused(bundle, tmp_path):
    (tmp_path / "elsewhere.pt").write_bytes(b"weights")
    (bundle / "models" / "model.pt").symlink_to(tmp_path / "elsewhere.pt")
    with pytest.raises(ValueError, match="is a link out of the bundle"):
        export_bundle(bundle, tmp_path / "out")


def test_what_a_killed_export_left_is_removed(bundle, tmp_path):
    (tmp_path / "out" / ".myops_passion.draft-12345678").mkdir(parents=True)
    export_bundle(bundle, tmp_path / "out", weights=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["myops_passion"]


def test_mistakes_are_one_line(bundle, tmp_path, capsys):
    for arguments, message in (
        ([str(bundle), str(tmp_path / "out")], "has no model at"),
        ([str(tmp_path / "nothing"), str(tmp_path / "out")], "is no bundle"),
        ([str(bundle), str(tmp_path / "out"), "--vendor", "perhaps", "--without_weights"], "expected true or false"),
    ):
        with pytest.raises(SystemExit) as stopped:
            cli.main(["export-bundle", *arguments])
        assert stopped.value.code == 2
        error = capsys.readouterr().err
        assert message in error
        assert "Traceback" not in error
        assert not (tmp_path / "out").exists()


def test_a_failure_leaves_nothing_behind(bundle, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("passion_monai.sharing.bundles.file_sha256", fail)
    with pytest.raises(OSError, match="disk full"):
        export_bundle(bundle, tmp_path / "out", weights=False)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_an_exported_bundle_runs_where_the_package_is_not_installed(trained, tmp_path, capsys):
    """Unzipped elsewhere: inference of a phantom case by the weights in it, one epoch of training with evaluation."""
    bundle = trained[0] / "bundles" / "brats_passion"
    cli.main(["export-bundle", str(bundle), str(tmp_path / "out"), "--vendor", "--zip"])
    assert "model zoo checks: passed" in capsys.readouterr().out
    shutil.unpack_archive(tmp_path / "out" / "brats_passion_v0.1.0.zip", tmp_path / "elsewhere")
    folder = tmp_path / "elsewhere" / "brats_passion"
    (tmp_path / "blocker").mkdir()
    (tmp_path / "blocker" / "sitecustomize.py").write_text(ONLY_HERE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "blocker"), "PASSION_FOLDER": str(folder)}

    def python(*arguments, cwd=folder):
        return subprocess.run(
            [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=400
        )

    where = "import passion_monai; print(passion_monai.__file__)"
    assert "passion_monai is not installed" in python("-c", where, cwd=tmp_path).stderr
    assert python("-c", where).stdout.strip() == str(folder / "passion_monai" / "__init__.py")

    cases = next((bundle / "data").glob("*/validation"))
    inference = ["run", "--config_file", "configs/inference.json", "--dataset_dir", str(cases)]
    done = python("-m", "monai.bundle", *inference)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [path.name for path in (folder / "eval/predictions").glob("*.nii.gz")] == ["PHANTOM_0003_seg.nii.gz"]

    training = ["run", "training", "--config_file", "configs/train.json", *options(TINY), "--output_dir", "retrained"]
    done = python("-m", "monai.bundle", *training)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {"model.pt", "training.json"} <= files(folder / "retrained" / "models")
    assert (folder / "retrained" / "eval" / "table.md").is_file()
