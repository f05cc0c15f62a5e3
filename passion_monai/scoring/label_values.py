"""What the values of label maps mean: the modalities, regions and classes of a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from monai.bundle import ConfigParser
from numpy.typing import NDArray

from passion_monai.utils.messages import few

__all__ = ["Coding", "bundle_coding"]


@dataclass(frozen=True)
class Coding:
    """What the values of label maps mean.

    Attributes:
        modalities: names in the order of subset names.
        regions: region -> the classes it unites.
        mapping: value in a file -> class; None: values are classes, 0 and those of the regions.
        classes: names of the classes, background first.
    """

    modalities: Sequence[str]
    regions: Mapping[str, Sequence[int]]
    mapping: Mapping[int, int] | None = None
    classes: Sequence[str] = field(default=())

    def classes_of(self, values: NDArray[np.int64], path: Path) -> NDArray[np.int64]:
        """Class of every voxel.

        Raises:
            ValueError: when a value is outside of the coding; the file is named.
        """
        known = self.mapping or {label: label for label in {0, *(x for m in self.regions.values() for x in m)}}
        found, places = np.unique(values, return_inverse=True)
        outside = [int(value) for value in found if int(value) not in known]
        if outside:
            raise ValueError(
                f"{path} holds labels outside of the coding: {few(list(map(str, outside)))}; known: "
                f"{', '.join(map(str, sorted(known)))}"
            )
        return np.array([known[int(value)] for value in found])[places].reshape(values.shape)


def bundle_coding(bundle: str | Path) -> Coding:
    """Modalities, regions and label values of a bundle.

    Raises:
        FileNotFoundError: when the folder holds no ``configs/train.json``.
    """
    config = Path(bundle) / "configs" / "train.json"
    if not config.is_file():
        raise FileNotFoundError(f"{bundle} is no bundle of this package: it has no configs/train.json")
    parser = ConfigParser()
    parser.read_config(str(config))
    names = ("modalities", "regions", "label_mapping", "classes")
    modalities, regions, mapping, classes = (parser.get_parsed_content(name) for name in names)
    return Coding(list(modalities), dict(regions), {int(v): int(k) for v, k in mapping.items()}, list(classes))
