"""Write a map in the scan's own grid.

MONAI's `SaveImaged` looks at the first two axes of the affine alone (1.6.1) and stops where they span no plane, as in
sagittal series of DICOM; it also leaves half a file behind when it is killed.
"""

from __future__ import annotations

import gzip
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor
from monai.transforms import Transform

from passion_monai.data.images import placed_image
from passion_monai.utils.files import whole_file

__all__ = ["SaveVolumed"]


class SaveVolumed(Transform):
    """Write ``<case>_<postfix>.nii.gz``, whole or not at all, with sform and qform as the scan has them.

    Args:
        key: `MetaTensor` ``(1, *S)``, or ``(K, *S)``, which becomes a file with K channels last.
        output_dir: folder; it is made.
        postfix: of the file's name.
        dtype: of the stored values, as ``uint8``; NIfTI has no float16.
        case_key: where the item's name is.

    Raises:
        ValueError: (when called) the prediction has no affine.
    """

    def __init__(self, key: str, output_dir: str, postfix: str, dtype: str = "float32", case_key: str = "case") -> None:
        self.key, self.output_dir, self.postfix = key, Path(output_dir), postfix
        self.dtype, self.case_key = np.dtype(dtype), case_key

    def __call__(self, data: Mapping[Hashable, Any]) -> Mapping[Hashable, Any]:
        """Write one item, and pass it on."""
        volume = data[self.key]
        if not isinstance(volume, MetaTensor):
            raise ValueError(f"{self.key!r} of case {data.get(self.case_key)!r} has no affine: invert it first")
        array = volume.as_tensor().detach().cpu().numpy().astype(self.dtype)
        array = array[0] if len(array) == 1 else np.moveaxis(array, 0, -1)
        image = placed_image(array, volume.affine.cpu().numpy(), str(volume.meta.get("frame") or ""))
        with whole_file(self.output_dir / f"{data[self.case_key]}_{self.postfix}.nii.gz") as draft:
            draft.write_bytes(gzip.compress(image.to_bytes(), compresslevel=1, mtime=0))
        return data
