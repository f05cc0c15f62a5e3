"""Training and evaluation engines: MONAI's own, with a method's hooks and every modality subset in one pass."""

from passion_monai.networks import TrainingOutput

from .evaluator import SubsetEvaluator
from .inferers import AvailableInferer, SubsetInferer
from .trainer import IncompleteTrainer
from .uncertainty import UncertainInferer
from .view import TrainingView

__all__ = [
    "AvailableInferer",
    "IncompleteTrainer",
    "SubsetEvaluator",
    "SubsetInferer",
    "TrainingOutput",
    "TrainingView",
    "UncertainInferer",
]
