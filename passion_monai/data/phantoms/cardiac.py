"""The cardiac phantom: infarct patients in short-axis bSSFP, LGE and T2w, so that everything runs without a download.

Synthetic: it shows mechanisms, not clinical performance. bSSFP shows the ventricles and not the scar, LGE the scar, T2w
the oedema: the pattern of MyoPS2020, whose file names and label values it has.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import shift

from passion_monai.data.phantoms.anatomy import partial_volume
from passion_monai.data.phantoms.cardiac_tissues import CARDIAC_TISSUES, cardiac_signals, nulling_time
from passion_monai.data.phantoms.chest import draw_chest, paint
from passion_monai.data.phantoms.folder import phantom_folder, write_nifti
from passion_monai.data.phantoms.heart import Heart, draw_heart, draw_infarct
from passion_monai.data.phantoms.noise import random_field
from passion_monai.data.phantoms.tissues import Tissue

__all__ = ["CardiacPhantom", "cardiac_phantom"]

_VERSION = 1  # of the generator: raise it when the images change
_SUFFIXES = {"bssfp": "C0", "lge": "DE", "t2": "T2", "label": "gd"}

# Structure: what it is made of, and MyoPS's label (papillary muscles count as blood pool; the right wall has none).
_STRUCTURES = {
    "lung": ("lung", 0),
    "fat": ("fat", 0),
    "muscle": ("muscle", 0),
    "liver": ("liver", 0),
    "spleen": ("spleen", 0),
    "aorta": ("blood", 0),
    "right wall": ("myocardium", 0),
    "right": ("blood", 600),
    "myocardium": ("myocardium", 200),
    "oedema": ("oedema", 1220),
    "scar": ("scar", 2221),
    "obstruction": ("obstruction", 2221),
    "left": ("blood", 500),
    "papillary": ("myocardium", 500),
}


@dataclass(frozen=True)
class CardiacPhantom:
    """What the cases look like; every number that decides how hard the task is.

    Attributes:
        slices: smallest and largest number of slices of a case.
        shape: of a slice.
        spacing: of a slice's pixels in mm.
        slice_distance: from slice to slice in mm.
        elastic: standard deviation of the deformation of the anatomy in mm.
        motion: standard deviation of the shift of every slice in mm (breath-holds differ).
        misalignment: standard deviation of the shift of every slice between the sequences in mm.
        tissue_jitter: relative standard deviation of every relaxation time and density, per case.
        protocol_jitter: the same of flip angle, echo and inversion times, per case and shared by all tissues.
        texture: relative standard deviation of a tissue's own unevenness.
        bias: standard deviation of the receiver's field, relative.
        noise: of Rician noise, relative to the mean of the image.
        slow_flow: largest share of its signal that blood keeps at the endocardium in spite of black-blood T2w.
        infarct_width: smallest and largest angle of the scar in degrees.
        transmurality: smallest and largest share of the wall's thickness that is scar.
        obstructed: share of cases whose scar has a dark core in LGE.
        without_infarct: share of cases without scar and oedema.
    """

    slices: tuple[int, int] = (3, 5)
    shape: tuple[int, int] = (128, 128)
    spacing: float = 1.5
    slice_distance: float = 8.0
    elastic: float = 2.0
    motion: float = 1.2
    misalignment: float = 0.6
    tissue_jitter: float = 0.05
    protocol_jitter: float = 0.06
    texture: float = 0.05
    bias: float = 0.15
    noise: float = 0.08
    slow_flow: float = 0.35
    infarct_width: tuple[float, float] = (40.0, 140.0)
    transmurality: tuple[float, float] = (0.35, 1.0)
    obstructed: float = 0.25
    without_infarct: float = 0.0

    @property
    def voxel(self) -> tuple[float, float, float]:
        """Distances between voxels in mm."""
        return (self.spacing, self.spacing, self.slice_distance)

    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw a case.

        Args:
            rng: source of randomness.

        Returns:
            ``bssfp``, ``lge``, ``t2`` and ``label`` as int16, ``(H, W, D)``; labels as in MyoPS2020: 200 normal
            myocardium, 500 left and 600 right ventricular blood pool, 1220 oedema, 2221 scar.
        """
        num_slices = int(rng.integers(self.slices[0], self.slices[1] + 1))
        steps = zip((*self.shape, num_slices), self.voxel, strict=True)
        axes = [(np.arange(size, dtype=np.float32) - (size - 1) / 2) * step for size, step in steps]
        position = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
        heart = draw_heart(rng, position, self.voxel, self.elastic, self.motion)
        shares = draw_chest(rng, position, self.voxel, -np.maximum(heart.wall, heart.right + 3))
        self._paint_heart(rng, shares, heart)
        return self._images(rng, shares, np.abs(np.maximum(heart.cavity, heart.right))) | {"label": _labels(shares)}

    def _paint_heart(self, rng: np.random.Generator, shares: dict[str, np.ndarray], heart: Heart) -> None:
        kind = rng.random(2)
        infarct = draw_infarct(
            rng, heart, self.voxel, self.infarct_width, self.transmurality, obstructed=bool(kind[0] < self.obstructed)
        )
        wall, cavity, right = (partial_volume(d, self.spacing) for d in (heart.wall, heart.cavity, heart.right))
        paint(shares, "right wall", partial_volume(np.minimum(heart.right + 3, 3.0), self.spacing))
        paint(shares, "right", right)
        paint(shares, "myocardium", wall)
        injured = wall * bool(kind[1] >= self.without_infarct)
        paint(shares, "oedema", injured * infarct.oedema)
        paint(shares, "scar", injured * infarct.scar)
        paint(shares, "obstruction", injured * infarct.obstruction)
        paint(shares, "left", cavity)
        paint(shares, "papillary", cavity * partial_volume(heart.papillary, self.spacing))

    def _images(
        self, rng: np.random.Generator, shares: dict[str, np.ndarray], depth: np.ndarray
    ) -> dict[str, np.ndarray]:
        scale = float(np.clip(rng.normal(1, self.protocol_jitter), 0.8, 1.2))
        tissues = {name: self._jittered(rng, tissue) for name, tissue in CARDIAC_TISSUES.items()}
        inversion = nulling_time(tissues["myocardium"].t1_post) * rng.normal(1, self.protocol_jitter / 2)
        signals = {name: cardiac_signals(tissue, inversion, scale) for name, tissue in tissues.items()}
        flow = 0.1 + rng.uniform(0, self.slow_flow) * np.exp(-depth / 3)  # slow blood at the walls stays bright
        images = {}
        for modality in ("bssfp", "lge", "t2"):
            clean = np.zeros_like(depth)
            for name, (tissue, _) in _STRUCTURES.items():
                black = modality == "t2" and tissue == "blood"
                clean += shares[name] * signals[tissue][modality] * (flow if black else 1.0)
            images[modality] = self._acquired(rng, clean)
        return images

    def _acquired(self, rng: np.random.Generator, clean: np.ndarray) -> np.ndarray:
        """With texture, the coil's field, residual misalignment and noise, as whole numbers above zero."""
        texture = 1 + self.texture * random_field(rng, clean.shape, self.voxel, (5, 14))
        image = clean * texture * np.exp(self.bias * random_field(rng, clean.shape, self.voxel, (120, 500)))
        for k in range(clean.shape[2]):
            moved = rng.normal(0, self.misalignment / self.spacing, size=2)
            image[..., k] = shift(image[..., k], moved, order=1, mode="nearest")
        image = image / image.mean()
        noise = self.noise * rng.standard_normal((2, *clean.shape), dtype=np.float32)
        return np.clip(200 * np.hypot(image + noise[0], noise[1]), 1, 32767).astype(np.int16)

    def _jittered(self, rng: np.random.Generator, tissue: Tissue) -> Tissue:
        factors = np.clip(rng.normal(1, self.tissue_jitter, size=4), 0.8, 1.2)
        return Tissue(*(float(value * factor) for value, factor in zip(tissue, factors, strict=True)))


def _labels(shares: dict[str, np.ndarray]) -> np.ndarray:
    """MyoPS coding of the class that fills most of a voxel."""
    values = sorted({label for _, label in _STRUCTURES.values()})
    classes = [sum(shares[name] for name, (_, label) in _STRUCTURES.items() if label == value) for value in values]
    classes[0] = classes[0] + shares["air"]
    return np.array(values, dtype=np.int16)[np.stack(classes).argmax(axis=0)]


def cardiac_phantom(
    root: str | PathLike[str],
    num_training: int = 20,
    num_validation: int = 5,
    slices: tuple[int, int] = (3, 5),
    shape: tuple[int, int] = (128, 128),
    spacing: float = 1.5,
    seed: int = 0,
    progress: bool = True,
    **levers: Any,
) -> str:
    """Make a data set of phantom cases in the layout of MyoPS2020, unless it is there already.

    ``<root>/cardiac-<hash>/{train,validation}/PHANTOM_0001/PHANTOM_0001_{C0,DE,T2,gd}.nii.gz``; see `brain_phantom` for
    what the hash is for. The same parameters give the same files, bit for bit.

    Args:
        root: where the folder is made.
        num_training: number of training cases.
        num_validation: number of validation cases.
        slices: smallest and largest number of slices of a case.
        shape: of a slice.
        spacing: of a slice's pixels in mm.
        seed: of the anatomies.
        progress: show a bar.
        levers: other attributes of `CardiacPhantom`.

    Returns:
        Path of the data set.

    Raises:
        ValueError: when ``slices`` is no range of positive numbers, ``shape`` has not two sizes, or there is no case.
        TypeError: when a lever does not exist.
    """
    if len(slices) != 2 or not 1 <= slices[0] <= slices[1]:
        raise ValueError(f"slices must be the smallest and the largest number of slices, at least 1, got {slices}")
    if len(shape) != 2:
        raise ValueError(f"shape must have 2 sizes, those of a slice, got {tuple(shape)}")
    range_, size = (slices[0], slices[1]), (shape[0], shape[1])
    phantom = replace(CardiacPhantom(), slices=range_, shape=size, spacing=float(spacing), **levers)

    def write_case(folder: Path, name: str, rng: np.random.Generator) -> None:
        for key, image in phantom.draw(rng).items():
            write_nifti(folder / f"{name}_{_SUFFIXES[key]}.nii.gz", image, phantom.voxel)

    sections = {"train": num_training, "validation": num_validation}
    return phantom_folder(
        root, "cardiac", {"version": _VERSION, **asdict(phantom)}, sections, seed, write_case, progress
    )
