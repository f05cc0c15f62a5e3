"""Small data sets in which every image is another one."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np

from tests.data.helpers import write

NAMES = ("flair", "t1ce", "t1", "t2")
SHAPE = (6, 7, 8)


def image(seed: int, shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 1000, shape).astype(np.int16)


def label(values=(1, 2, 4), shape=SHAPE) -> np.ndarray:
    array = np.zeros(shape, dtype=np.uint8)
    array.ravel()[: len(values)] = values
    return array


def cases(root: Path, num: int = 3, names=NAMES, first: int = 0, labels: bool = True) -> Path:
    """``c0``, ``c1``, ... in folders of their own, with different labels."""
    for number in range(first, first + num):
        for channel, name in enumerate(names):
            write(root / f"c{number}" / f"c{number}_{name}.nii.gz", image(10 * number + channel))
        if labels:
            write(root / f"c{number}" / f"c{number}_seg.nii.gz", np.roll(label(), number + 1))
    return root


def change(path: Path, array=None, affine=None) -> None:
    """Another array or affine in a file."""
    old = nib.load(path)
    array = np.asanyarray(old.dataobj) if array is None else array
    nib.save(nib.Nifti1Image(array, old.affine if affine is None else affine), path)


def bend(path: Path, sform: np.ndarray, keep_qform: bool) -> None:
    """An sform that pixdim knows nothing of; the qform stays as it is, or is no help either."""
    old = nib.load(path)
    image = nib.Nifti1Image(np.asanyarray(old.dataobj), old.affine)
    image.header.set_sform(sform, code=1)
    if not keep_qform:
        image.header["qform_code"] = 0
        image.header["pixdim"][1:4] = np.linalg.norm(sform[:3, :3], axis=0)
    new = nib.Nifti1Image(image.dataobj, None, image.header)
    nib.save(new, path)


def decathlon(root: Path, four_d: bool, channels=("FLAIR", "T1w", "t1gd", "T2w"), num: int = 3) -> Path:
    for number in range(num):
        images = [image(10 * number + channel) for channel in range(len(channels))]
        if four_d:
            write(root / "imagesTr" / f"BRATS_{number}.nii.gz", np.stack(images, axis=-1))
        else:
            for channel, array in enumerate(images):
                write(root / "imagesTr" / f"BRATS_{number}_{channel:04d}.nii.gz", array)
        write(root / "labelsTr" / f"BRATS_{number}.nii.gz", np.roll(label((1, 2, 3)), number + 1))
    key = "modality" if four_d else "channel_names"
    facts = {key: {str(i): name for i, name in enumerate(channels)}, "labels": {"0": "background", "1": "edema"}}
    (root / "dataset.json").write_text(json.dumps(facts))
    return root
