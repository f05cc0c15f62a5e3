"""Backbones that accept any subset of their modalities, and the contract they keep.

Here: one file a backbone, the blocks they share, the adapter for networks of MONAI, and the catalogue of names.
Not here: losses, and what a training shows a network (`engines.training_view`).
"""

from passion_monai.networks.adapter import MonaiSegmenter
from passion_monai.networks.catalogue import BACKBONES, make_backbone
from passion_monai.networks.contract import Decoded, IncompleteSegmenter, SubsetStudents, TrainingOutput, students
from passion_monai.networks.m2ftrans import M2FTrans
from passion_monai.networks.mmformer import MMFormer
from passion_monai.networks.per_modality import PerModality, keep_only
from passion_monai.networks.rfnet import RFNet

__all__ = [
    "BACKBONES",
    "Decoded",
    "IncompleteSegmenter",
    "M2FTrans",
    "MMFormer",
    "MonaiSegmenter",
    "PerModality",
    "RFNet",
    "SubsetStudents",
    "TrainingOutput",
    "keep_only",
    "make_backbone",
    "students",
]
