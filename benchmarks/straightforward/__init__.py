"""What a competent person writes first from the paper; the benchmark's other side, and an independent check of numbers.

Every modality is always encoded and decoded (absent ones zero-filled and masked), prototypes are made in loops over
classes, every subset of an evaluation is a forward pass of its own, whole files are read. Nothing here is slow on
purpose: layers are PyTorch's own, temporaries are dropped, nothing is computed twice that the paper does not ask for
twice. Parameters have the names of the package's networks, so one state dict fits both.
"""

from benchmarks.straightforward.m2ftrans import M2FTrans
from benchmarks.straightforward.mmformer import MMFormer
from benchmarks.straightforward.rfnet import RFNet
from benchmarks.straightforward.step import loss_of_step

__all__ = ["M2FTrans", "MMFormer", "RFNet", "loss_of_step"]
