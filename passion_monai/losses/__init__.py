"""The loss terms as pure functions on tensors, one value per case; thin modules where there is state.

Here: the equations of the paper, each as a function with its number in the docstring.
Not here: which of them a method adds, and with which weight (`methods`).
"""

from passion_monai.losses._tensors import check_labels
from passion_monai.losses.distillation import modality_distillation, pixel_distillation, subset_distillation
from passion_monai.losses.options import checked_floor, variant_options
from passion_monai.losses.preference import EpochMean, PreferenceWeights, relative_preference, updated_weights
from passion_monai.losses.prototype_classification import (
    PrototypeClassification,
    modality_classification,
    prototype_cross_entropy,
)
from passion_monai.losses.prototypes import (
    class_prototypes,
    modality_prototype_distillation,
    prototype_distillation,
    similarity_maps,
)
from passion_monai.losses.segmentation import SegmentationLoss, auxiliary_losses, segmentation_loss

__all__ = [
    "EpochMean",
    "PreferenceWeights",
    "PrototypeClassification",
    "SegmentationLoss",
    "auxiliary_losses",
    "check_labels",
    "checked_floor",
    "class_prototypes",
    "modality_classification",
    "modality_distillation",
    "modality_prototype_distillation",
    "pixel_distillation",
    "prototype_cross_entropy",
    "prototype_distillation",
    "relative_preference",
    "segmentation_loss",
    "similarity_maps",
    "subset_distillation",
    "updated_weights",
    "variant_options",
]
