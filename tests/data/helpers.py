"""Small NIfTI cases for the tests of this folder."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

MODALITIES = ["flair", "t1ce", "t1", "t2"]
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def write(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return str(path)


def write_case(folder: Path, case: str, names=("flair", "t1ce", "t1", "t2", "seg"), shape=(6, 7, 8)) -> Path:
    """A case whose image m holds m + 1 inside a border of zeros."""
    inner = tuple(slice(1, -1) if size > 2 else slice(None) for size in shape)
    for value, name in enumerate(names, start=1):
        array = np.zeros(shape, dtype=np.int16)
        array[inner] = value if name != "seg" else 4
        write(folder / case / f"{case}_{name}.nii.gz", array)
    return folder / case


def real_cases() -> Path:
    if not (SHARED / "brats2021").is_dir():
        pytest.skip("the real BraTS cases beside the repository are not there")
    return SHARED / "brats2021"


def touch(root: Path, *names: str) -> None:
    """Empty files below a folder."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def keys(items) -> dict:
    """What every case has."""
    return {item["case"]: sorted(item.keys() - {"case"}) for item in items}


def data_list(folder: Path, content) -> Path:
    """A JSON file that holds an object, or a text."""
    path = folder / "list.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path
