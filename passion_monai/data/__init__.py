"""Data: subsets, availability, data lists, transforms, datasets and phantoms.

Here: seven rooms, whose public names are exported here: `availability`, `images`, `cases`, `loading`, `scans`,
`phantoms`, `audit`.
Not here: networks and scores.
"""

from passion_monai.data.audit import audit_data, audit_json, audit_text
from passion_monai.data.availability.drawing import draw_availability, missing_rates
from passion_monai.data.availability.published import published_split, published_table_path, published_tables
from passion_monai.data.availability.subsets import all_subsets, draw_subset, parse_subset, subset_name
from passion_monai.data.availability.tables import (
    apply_availability,
    availability_report,
    availability_table,
    read_availability,
    write_availability,
)
from passion_monai.data.cases.slices import slice_items
from passion_monai.data.cases.splitting import split_by_patient
from passion_monai.data.cases.train_val_test import brats_cases, case_lists, load_data_list
from passion_monai.data.loading.dataset import CaseDataset
from passion_monai.data.loading.sampling import CaseSampler
from passion_monai.data.loading.transforms import (
    CropToAvailabled,
    FitPlaned,
    LoadImageModalitiesd,
    MapLabelsd,
    MarkMissingd,
    NormalizeNonzerod,
    OncePerVolume,
    RandFlipAxesd,
    RandLinearIntensityd,
    RandPlaneRotated,
    SaveVolumed,
    SplitPredictiond,
    TakeSliced,
)
from passion_monai.data.phantoms import BrainPhantom, CardiacPhantom, brain_phantom, cardiac_phantom

__all__ = [
    "BrainPhantom",
    "CardiacPhantom",
    "CaseDataset",
    "CaseSampler",
    "CropToAvailabled",
    "FitPlaned",
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
    "all_subsets",
    "apply_availability",
    "audit_data",
    "audit_json",
    "audit_text",
    "availability_report",
    "availability_table",
    "brain_phantom",
    "brats_cases",
    "cardiac_phantom",
    "case_lists",
    "draw_availability",
    "draw_subset",
    "load_data_list",
    "missing_rates",
    "parse_subset",
    "published_split",
    "published_table_path",
    "published_tables",
    "read_availability",
    "slice_items",
    "split_by_patient",
    "subset_name",
    "write_availability",
]
