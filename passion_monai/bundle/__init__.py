"""What the configs of the bundles call, so that no expression in them is longer than a short line.

Here: options, the chosen backbone, lists of cases, the training, hardware; all names that configs use.
Not here: how scans are predicted (`prediction`), models scored (`scoring`) or shared (`sharing`).
"""

from passion_monai.bundle.backbones import backbone_arguments, build_backbone, check_backbone
from passion_monai.bundle.data import (
    announce,
    available_rows,
    combinations,
    prepare_cases,
    realised_rates,
    save_availability,
)
from passion_monai.bundle.hardware import default_workers, gradient_scaler, installed, precision
from passion_monai.bundle.option_checks import check_options
from passion_monai.bundle.options import bundle_root, check_overrides, choose, explain_errors, flag, name_of
from passion_monai.bundle.training import check_start, train
from passion_monai.bundle.training_folders import TrainingFolders
from passion_monai.checkpoints import load_settings, reading_choices, settings_path
from passion_monai.prediction.folder import predict
from passion_monai.prediction.requests import cases_to_predict
from passion_monai.reports.figures.curves import training_figures
from passion_monai.scoring.evaluation_files import data_name, is_phantom, title
from passion_monai.scoring.trained_model import evaluate

__all__ = [
    "TrainingFolders",
    "announce",
    "available_rows",
    "backbone_arguments",
    "build_backbone",
    "bundle_root",
    "cases_to_predict",
    "check_backbone",
    "check_options",
    "check_overrides",
    "check_start",
    "choose",
    "combinations",
    "data_name",
    "default_workers",
    "evaluate",
    "explain_errors",
    "flag",
    "gradient_scaler",
    "installed",
    "is_phantom",
    "load_settings",
    "name_of",
    "precision",
    "predict",
    "prepare_cases",
    "reading_choices",
    "realised_rates",
    "save_availability",
    "settings_path",
    "title",
    "train",
    "training_figures",
]
