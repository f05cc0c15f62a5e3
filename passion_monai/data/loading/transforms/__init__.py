"""MONAI dictionary transforms for cases that lack modalities.

Here: what a config names between a path and a tensor, and between a prediction and a file.
Not here: finding the paths (`data.cases`).
"""

from passion_monai.data.loading.transforms.cropping import CropToAvailabled
from passion_monai.data.loading.transforms.flipping import RandFlipAxesd
from passion_monai.data.loading.transforms.intensity import RandLinearIntensityd
from passion_monai.data.loading.transforms.labels import MapLabelsd
from passion_monai.data.loading.transforms.loading import LoadImageModalitiesd
from passion_monai.data.loading.transforms.missing import MarkMissingd
from passion_monai.data.loading.transforms.normalising import NormalizeNonzerod
from passion_monai.data.loading.transforms.prediction import SplitPredictiond
from passion_monai.data.loading.transforms.rotation import RandPlaneRotated
from passion_monai.data.loading.transforms.saving import SaveVolumed
from passion_monai.data.loading.transforms.slicing import OncePerVolume, TakeSliced

__all__ = [
    "CropToAvailabled",
    "LoadImageModalitiesd",
    "MapLabelsd",
    "MarkMissingd",
    "NormalizeNonzerod",
    "OncePerVolume",
    "RandFlipAxesd",
    "RandLinearIntensityd",
    "RandPlaneRotated",
    "SaveVolumed",
    "SplitPredictiond",
    "TakeSliced",
]
