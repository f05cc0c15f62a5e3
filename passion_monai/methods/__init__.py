"""The methods compared: one file each, one `nn.Module` each; they differ only in the terms they add to L_seg.

Here: what the teacher sees, which terms are added, and what moves at the end of an epoch.
Not here: the equations themselves (`losses`); no method imports another.
"""

from passion_monai.methods.base import Method
from passion_monai.methods.baseline import Baseline
from passion_monai.methods.moddrop import ModDrop
from passion_monai.methods.passion import Passion
from passion_monai.methods.pmr import PMR
from passion_monai.methods.subset_distillation import SubsetDistillation

__all__ = ["PMR", "Baseline", "Method", "ModDrop", "Passion", "SubsetDistillation"]
