"""One image file, read the same way by everybody: its header, its voxels, where it lies, what its background is.

Here: what audit, training, prediction and evaluation must not see differently.
Not here: which files a case has (`data.cases`), tensors (`data.loading`), formats of scanners (`data.scans`).
"""

from passion_monai.data.images.background import zero_background
from passion_monai.data.images.nifti import BadImageError, NiftiImage, is_nifti, nifti_grid, read_nifti
from passion_monai.data.images.placement import Placement, is_invertible, placed_image
from passion_monai.data.images.reading import image_grid, read_image
from passion_monai.data.images.values import as_image, as_numbers

__all__ = [
    "BadImageError",
    "NiftiImage",
    "Placement",
    "as_image",
    "as_numbers",
    "image_grid",
    "is_invertible",
    "is_nifti",
    "nifti_grid",
    "placed_image",
    "read_image",
    "read_nifti",
    "zero_background",
]
