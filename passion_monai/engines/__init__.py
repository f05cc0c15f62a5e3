"""Training and evaluation engines: MONAI's own, with a method's hooks and every modality subset in one pass.

Here: the training view, the trainer, the evaluator and the inferers.
Not here: the terms of a loss (`methods`, `losses`), and what happens between steps (`handlers`).
"""

from passion_monai.engines.evaluator import SubsetEvaluator
from passion_monai.engines.inferers import AvailableInferer, SubsetInferer
from passion_monai.engines.trainer import IncompleteTrainer
from passion_monai.engines.training_view import TrainingView
from passion_monai.engines.uncertainty import UncertainInferer
from passion_monai.networks import TrainingOutput

__all__ = [
    "AvailableInferer",
    "IncompleteTrainer",
    "SubsetEvaluator",
    "SubsetInferer",
    "TrainingOutput",
    "TrainingView",
    "UncertainInferer",
]
