"""Backbones that accept any subset of their modalities, and the contract they keep."""

from passion_monai.networks.contract import Decoded, IncompleteSegmenter, TrainingOutput, students
from passion_monai.networks.mmformer import MMFormer
from passion_monai.networks.per_modality import PerModality, keep_only

__all__ = [
    "Decoded",
    "IncompleteSegmenter",
    "MMFormer",
    "PerModality",
    "TrainingOutput",
    "keep_only",
    "students",
]
