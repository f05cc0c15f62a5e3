"""What a data set holds and what is wrong with it, before any training.

Here: checks of images and of cases among each other, the report, and the list of what is usable.
Not here: the readers: an audit reads with training's own (`data.cases`, `data.loading`).
"""

from passion_monai.data.audit.auditing import Audit, audit_data
from passion_monai.data.audit.checks import Coding, Crop
from passion_monai.data.audit.report import audit_json, audit_text
from passion_monai.data.audit.usable import write_training_files

__all__ = ["Audit", "Coding", "Crop", "audit_data", "audit_json", "audit_text", "write_training_files"]
