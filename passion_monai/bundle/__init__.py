"""What the configs of the bundles call, so that no expression in them is longer than a short line."""

from .data import announce, available_rows, combinations, prepare_cases, realised_rates
from .options import bundle_root, check_overrides, choose, explain_errors, flag, name_of
from .predict import cases_to_predict, predict
from .run import evaluate, title, train, training_figures
from .settings import load_settings, save_settings, settings_path

__all__ = [
    "announce",
    "available_rows",
    "bundle_root",
    "cases_to_predict",
    "check_overrides",
    "choose",
    "combinations",
    "evaluate",
    "explain_errors",
    "flag",
    "load_settings",
    "name_of",
    "predict",
    "prepare_cases",
    "realised_rates",
    "save_settings",
    "settings_path",
    "title",
    "train",
    "training_figures",
]
