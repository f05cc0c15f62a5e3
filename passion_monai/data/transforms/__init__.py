"""MONAI dictionary transforms for cases that lack modalities."""

from passion_monai.data.transforms.cropping import CropToAvailabled
from passion_monai.data.transforms.flipping import RandFlipAxesd
from passion_monai.data.transforms.intensity import RandLinearIntensityd
from passion_monai.data.transforms.labels import MapLabelsd
from passion_monai.data.transforms.loading import LoadImageModalitiesd
from passion_monai.data.transforms.missing import MarkMissingd
from passion_monai.data.transforms.normalising import NormalizeNonzerod
from passion_monai.data.transforms.prediction import SplitPredictiond
from passion_monai.data.transforms.rotation import RandPlaneRotated
from passion_monai.data.transforms.saving import SaveVolumed
from passion_monai.data.transforms.slicing import OncePerVolume, TakeSliced

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
