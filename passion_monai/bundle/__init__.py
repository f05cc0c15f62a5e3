"""What the configs of the bundles call, so that no expression in them is longer than a short line."""

from .data import announce, available_rows, combinations, prepare_cases, realised_rates, save_availability
from .hardware import default_workers, gradient_scaler, installed, precision
from .options import bundle_root, check_overrides, choose, explain_errors, flag, name_of
from .predict import cases_to_predict, predict
from .run import data_name, evaluate, title, training_figures
from .settings import load_settings, save_settings, settings_path
from .training import train

__all__ = [
    "announce",
    "available_rows",
    "bundle_root",
    "cases_to_predict",
    "check_overrides",
    "choose",
    "combinations",
    "data_name",
    "default_workers",
    "evaluate",
    "explain_errors",
    "flag",
    "gradient_scaler",
    "installed",
    "load_settings",
    "name_of",
    "precision",
    "predict",
    "prepare_cases",
    "realised_rates",
    "save_availability",
    "save_settings",
    "settings_path",
    "title",
    "train",
    "training_figures",
]
