"""Stored label values to class indices, and an error for a value that has no class.

MONAI's `MapLabelValued` leaves values that it does not know as they are: a label 4 in data coded 0 to 3 would reach the
loss as an index out of range, or as the wrong class.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type
from torch import Tensor

__all__ = ["MapLabelsd"]


class MapLabelsd(MapTransform):
    """Map stored label values to class indices.

    The default is BraTS: 1 necrosis, 2 oedema, 4 (until 2022) or 3 (since 2023) enhancing tumour.

    Args:
        keys: of the labels, ``(1, *S)`` of any number type; the result is uint8, or int16 when the mapping
            leads beyond 255 (from class indices back to stored values).
        mapping: stored value to class index; keys may be text, as in JSON.
        allow_missing_keys: pass items without a label.

    Raises:
        ValueError: when the mapping leads outside 0..32767, or (when called) a label holds a value outside the mapping;
            the case, the values found and the known ones are named.

    Example:
        >>> MapLabelsd(keys="label")({"label": torch.tensor([[0.0, 1.0, 2.0, 4.0]])})["label"]
        tensor([[0, 1, 2, 3]], dtype=torch.uint8)
    """

    def __init__(
        self,
        keys: KeysCollection,
        mapping: Mapping[int | str, int] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        mapping = {0: 0, 1: 1, 2: 2, 4: 3, 3: 3} if mapping is None else mapping
        self.mapping = {
            int(value): int(index) for value, index in sorted(mapping.items(), key=lambda pair: int(pair[0]))
        }
        if not all(0 <= index <= 32767 for index in self.mapping.values()):
            raise ValueError(f"mapping must lead to values 0..32767, got {self.mapping}")

        self.dtype = np.uint8 if max(self.mapping.values(), default=0) <= 255 else np.int16

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Map the labels of one item."""
        d = dict(data)
        for key in self.key_iterator(d):
            where = f"case {d['case']!r}, {key}" if "case" in d else str(key)
            mapped = self._mapped(torch.as_tensor(d[key]), where)
            d[key] = convert_to_dst_type(mapped, d[key], dtype=mapped.dtype)[0]
        return d

    def _mapped(self, label: Tensor, where: str) -> Tensor:
        stored = label.cpu().numpy()  # faster here than torch, and 2221 does not wrap around in uint8
        mapped, known = np.zeros_like(stored, dtype=self.dtype), np.zeros_like(stored, dtype=bool)
        for value, index in self.mapping.items():  # a pass a value: faster than a table or a search for every voxel
            found = stored == value
            known |= found
            if index:
                mapped[found] = index
        if known.all():
            return torch.from_numpy(mapped)
        unknown = [value for value in np.unique(stored).tolist() if value not in self.mapping]
        raise ValueError(
            f"{where} holds the values {unknown[:10]}, which are not in the coding {list(self.mapping)}; correct "
            f"the file, or add them to the label mapping"
        )
