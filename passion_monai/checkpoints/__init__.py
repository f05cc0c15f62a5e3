"""What a training leaves on disk and what reads it: weights, and the facts that belong to them.

Here: reading and writing of `model.pt` with its facts inside, of checkpoints and of the copy beside them.
Not here: when something is saved (`handlers`), and what a model is worth (`reports.reliability_card`).
"""

from passion_monai.checkpoints.facts import facts_of, with_facts
from passion_monai.checkpoints.reading_choices import reading_choices
from passion_monai.checkpoints.settings import check_model, load_settings, save_model, save_settings, settings_path
from passion_monai.checkpoints.weights import (
    check_archive,
    differences,
    load_checkpoint,
    load_weights,
    save_atomically,
)

__all__ = [
    "check_archive",
    "check_model",
    "differences",
    "facts_of",
    "load_checkpoint",
    "load_settings",
    "load_weights",
    "reading_choices",
    "save_atomically",
    "save_model",
    "save_settings",
    "settings_path",
    "with_facts",
]
