"""Small handlers: seeds, the method's epoch, logs, checkpoints."""

from .checkpoint import BestModelSaver, ResumeSaver, load_weights, resume
from .files import EpochTable, save_atomically
from .preference import PreferenceTracker
from .stability import FiniteLoss, GradientClip
from .training import EpochSeed, MethodHandler, TermLog, TrainingProgress

__all__ = [
    "BestModelSaver",
    "EpochSeed",
    "EpochTable",
    "FiniteLoss",
    "GradientClip",
    "MethodHandler",
    "PreferenceTracker",
    "ResumeSaver",
    "TermLog",
    "TrainingProgress",
    "load_weights",
    "resume",
    "save_atomically",
]
