import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from passion_monai.data.phantoms import phantom_folder, write_nifti


def write_case(folder, name, rng):
    write_nifti(folder / f"{name}_t1.nii.gz", rng.integers(0, 9, (4, 5, 6)).astype(np.int16), spacing=2.0)


def make(root, sections=None, seed=0, parameters=None, writer=write_case):
    sections = {"train": 2, "validation": 1} if sections is None else sections
    return Path(phantom_folder(root, "toy", parameters or {"size": 1}, sections, seed, writer, progress=False))


def test_layout_and_facts(tmp_path):
    folder = make(tmp_path)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.nii.gz"))
    assert files == [
        "train/PHANTOM_0001/PHANTOM_0001_t1.nii.gz",
        "train/PHANTOM_0002/PHANTOM_0002_t1.nii.gz",
        "validation/PHANTOM_0003/PHANTOM_0003_t1.nii.gz",
    ]
    assert json.loads((folder / "phantom.json").read_text())["parameters"] == {"size": 1}
    image = nib.load(folder / files[0])
    assert np.allclose(image.affine @ [1.5, 2, 2.5, 1], [0, 0, 0, 1])
    assert image.get_data_dtype() == np.int16


def test_a_spacing_per_axis(tmp_path):
    write_nifti(tmp_path / "a.nii.gz", np.zeros((3, 5, 2), dtype=np.int16), spacing=(1.5, 2.0, 8.0))
    affine = nib.load(tmp_path / "a.nii.gz").affine
    assert np.allclose(np.diag(affine), [1.5, 2, 8, 1])
    assert np.allclose(affine @ [1, 2, 0.5, 1], [0, 0, 0, 1])


def test_made_once(tmp_path):
    folder = make(tmp_path)
    assert make(tmp_path, writer=lambda *_: pytest.fail("made twice")) == folder
    others = {make(tmp_path, seed=1), make(tmp_path, parameters={"size": 2}), make(tmp_path, {"train": 3})}
    assert len(others | {folder}) == 4


def test_same_bytes_elsewhere_and_cases_do_not_depend_on_each_other(tmp_path):
    one, other = make(tmp_path / "a"), make(tmp_path / "b", {"train": 1, "validation": 4})
    first, second = ("PHANTOM_0001/PHANTOM_0001_t1.nii.gz", "PHANTOM_0002/PHANTOM_0002_t1.nii.gz")
    assert (one / "train" / first).read_bytes() == (other / "train" / first).read_bytes()
    assert (one / "train" / second).read_bytes() == (other / "validation" / second).read_bytes()


def test_an_interrupted_folder_is_not_there(tmp_path):
    def interrupted(folder, name, rng):
        if name == "PHANTOM_0002":
            raise KeyboardInterrupt
        write_case(folder, name, rng)

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, writer=interrupted)
    assert list(tmp_path.iterdir()) == []
    assert len(list(make(tmp_path).rglob("*.nii.gz"))) == 3


def test_another_process_may_be_faster(tmp_path):
    def slow(folder, name, rng):
        if name == "PHANTOM_0003":
            make(tmp_path)
        write_case(folder, name, rng)

    folder = make(tmp_path, writer=slow)
    assert len(list(folder.rglob("*.nii.gz"))) == 3
    assert list(tmp_path.iterdir()) == [folder]


def test_numbers_are_checked(tmp_path):
    for sections in ({"train": 0, "validation": 0}, {"train": 2, "validation": -1}):
        with pytest.raises(ValueError, match="a phantom needs at least one case"):
            make(tmp_path, sections)
