"""What happens during a training, and when: seeds, the method's epoch, logs, checkpoints.

Here: small classes that listen to events of ignite.
Not here: what is computed in a step (`engines`, `methods`), and how a file of weights is read (`checkpoints`).
"""

from passion_monai.checkpoints import load_weights, save_atomically
from passion_monai.handlers.checkpoint import BestModelSaver, ResumeSaver, check_resume, resume
from passion_monai.handlers.files import EpochTable
from passion_monai.handlers.preference import PreferenceTracker
from passion_monai.handlers.stability import FiniteLoss, GradientClip
from passion_monai.handlers.training import EpochSeed, MethodHandler, TermLog, TrainingProgress

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
    "check_resume",
    "load_weights",
    "resume",
    "save_atomically",
]
