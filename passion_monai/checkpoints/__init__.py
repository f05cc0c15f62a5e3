"""What a training leaves on disk and what reads it: weights, and the settings that belong to them.

Here: reading and writing of `model.pt`, of checkpoints and of the settings beside them, below all who need them.
Not here: when something is saved (`handlers`), and what a model is worth (`reports.reliability`).
"""

from passion_monai.checkpoints.settings import load_settings, save_settings, settings_path
from passion_monai.checkpoints.weights import load_checkpoint, load_weights, save_atomically

__all__ = ["load_checkpoint", "load_settings", "load_weights", "save_atomically", "save_settings", "settings_path"]
