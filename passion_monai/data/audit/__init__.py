"""What a data set holds and what is wrong with it, before any training."""

from passion_monai.data.audit.auditing import Audit, audit_data
from passion_monai.data.audit.checks import Coding, Crop
from passion_monai.data.audit.report import audit_json, audit_text
from passion_monai.data.audit.usable import write_training_files

__all__ = ["Audit", "Coding", "Crop", "audit_data", "audit_json", "audit_text", "write_training_files"]
