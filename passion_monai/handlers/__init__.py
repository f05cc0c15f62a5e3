"""Small handlers: seeds, the method's epoch, logs, checkpoints."""

from .checkpoint import BestModelSaver, ResumeSaver, load_weights, resume
from .files import EpochTable, save_atomically
from .training import EpochSeed, FiniteLoss, MethodHandler, TermLog, TrainingProgress

__all__ = [
    "BestModelSaver",
    "EpochSeed",
    "EpochTable",
    "FiniteLoss",
    "MethodHandler",
    "ResumeSaver",
    "TermLog",
    "TrainingProgress",
    "load_weights",
    "resume",
    "save_atomically",
]
