"""The brain phantom: glioma cases in four MR sequences, so that everything can be run without a download.

Synthetic: it shows mechanisms (which modality is informative for what, what imbalanced missing rates do), not clinical
performance. FLAIR and T2 show oedema, T1c shows enhancing tumour, T1 little: the pattern of BraTS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from passion_monai.data.phantoms.anatomy import Brain, draw_brain
from passion_monai.data.phantoms.folder import phantom_folder, write_nifti
from passion_monai.data.phantoms.lesions import Lesions, draw_lesions
from passion_monai.data.phantoms.noise import random_field
from passion_monai.data.phantoms.tissues import TISSUES, Tissue, signals
from passion_monai.utils.messages import nearest

__all__ = ["BrainPhantom", "brain_phantom"]

MODALITIES = ("flair", "t1ce", "t1", "t2")
_VERSION = 1  # of the generator: raise it when the images change


@dataclass(frozen=True)
class BrainPhantom:
    """What the cases look like; every number that decides how hard the task is.

    Attributes:
        shape: of the grid; the last is 1 for slices.
        spacing: of the grid in mm.
        elastic: standard deviation of the deformation of the anatomy in mm.
        tissue_jitter: relative standard deviation of every relaxation time and density, per case.
        protocol_jitter: the same of inversion and echo times, per case and shared by all tissues.
        enhancing_t1_post: mean, standard deviation, minimum and maximum over cases of T1 after contrast agent, ms.
        texture: relative standard deviation of a tissue's own unevenness.
        bias: standard deviation of the receiver's field, relative.
        noise: of Rician noise, relative to the mean inside the brain.
        noise_factors: modality to a factor of its noise; the others have 1.
        bias_factors: modality to a factor of its field; the others have 1.
        blur: modality to the standard deviation in mm of what motion and thick slices wash out; the others have 0.
        core_contrast: how much enhancing tumour and necrosis differ from oedema: 1 as in `TISSUES`, 0 not at all. What
            contrast agent does to enhancing tumour is not changed.
        core_radius: smallest and largest radius of the main tumour core in mm.
        satellites: probability of a second, smaller lesion, and again of a third.
        without_enhancement: share of cases without enhancing tumour.
        without_necrosis: share of cases without necrosis.
        without_lesion: share of cases without any lesion.
        oedema_edge: width in mm over which oedema fades.
        heights: of the middle of the volume, or of a slice, above the brain's centre in mm.
    """

    shape: tuple[int, int, int] = (88, 104, 80)
    spacing: float = 2.0
    elastic: float = 2.5
    tissue_jitter: float = 0.06
    protocol_jitter: float = 0.08
    enhancing_t1_post: tuple[float, float, float, float] = (830.0, 120.0, 600.0, 1150.0)
    texture: float = 0.05
    bias: float = 0.08
    noise: float = 0.04
    noise_factors: Mapping[str, float] = field(default_factory=dict)
    bias_factors: Mapping[str, float] = field(default_factory=dict)
    blur: Mapping[str, float] = field(default_factory=dict)
    core_contrast: float = 1.0
    core_radius: tuple[float, float] = (7.0, 20.0)
    satellites: float = 0.25
    without_enhancement: float = 0.15
    without_necrosis: float = 0.15
    without_lesion: float = 0.0
    oedema_edge: float = 4.0
    heights: tuple[float, float] = (-6.0, -6.0)

    def __post_init__(self) -> None:
        """Check the names of modalities."""
        for lever in ("noise_factors", "bias_factors", "blur"):
            for name in getattr(self, lever):
                if name not in MODALITIES:
                    raise ValueError(f"{lever} names the unknown modality {name!r}: {nearest(name, MODALITIES)}")

    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw a case.

        Args:
            rng: source of randomness.

        Returns:
            ``flair``, ``t1ce``, ``t1``, ``t2`` as int16, zero outside the brain, and ``seg`` as uint8 with 1 necrosis,
            2 oedema, 4 enhancing tumour; each of shape ``shape``.
        """
        brain = draw_brain(rng, self.shape, self.spacing, rng.uniform(*self.heights), self.elastic)
        kind = rng.random(3)
        enhancing = bool(kind[0] >= self.without_enhancement)
        necrotic = bool(not enhancing or kind[0] < 1 - self.without_necrosis)
        lesions = draw_lesions(
            rng,
            brain,
            self.spacing,
            radii=self._radii(rng) if kind[2] >= self.without_lesion else [],
            enhancing=enhancing,
            necrotic=necrotic,
            edge=self.oedema_edge,
        )
        return self._images(rng, brain, lesions) | {"seg": _labels(lesions, brain.inside)}

    def _radii(self, rng: np.random.Generator) -> list[float]:
        radii = [rng.uniform(*self.core_radius)]
        while len(radii) < 3 and rng.random() < self.satellites:
            radii.append(rng.uniform(0.25, 0.6) * radii[0] + 1.5)
        return radii

    def _images(self, rng: np.random.Generator, brain: Brain, lesions: Lesions) -> dict[str, np.ndarray]:
        mask = brain.inside >= 0.5
        fluid, grey, oedema, enhancing, necrosis = (a[mask] for a in (brain.fluid, brain.grey, *lesions))
        healthy = 1 - oedema - enhancing - necrosis
        shares = {
            "white": healthy * (1 - fluid) * (1 - grey),
            "grey": healthy * (1 - fluid) * grey,
            "fluid": healthy * fluid,
            "oedema": oedema,
            "enhancing": enhancing,
            "necrosis": necrosis,
        }
        scale = float(np.clip(rng.normal(1, self.protocol_jitter), 0.7, 1.3))
        tissue_signals = {name: signals(self._jittered(rng, name), scale) for name in shares}
        texture = 1 + self.texture * random_field(rng, self.shape, self.spacing, (6, 16))[mask]
        images = {}
        for modality in MODALITIES:
            bias = self.bias * self.bias_factors.get(modality, 1.0)
            coil = np.exp(bias * random_field(rng, self.shape, self.spacing, (100, 400))[mask])
            clean = sum(share * tissue_signals[name][modality] for name, share in shares.items()) * texture * coil
            clean = self._blurred(clean / clean.mean(), mask, modality)
            noise = (
                self.noise
                * self.noise_factors.get(modality, 1.0)
                * rng.standard_normal((2, clean.size), dtype=np.float32)
            )
            image = np.zeros(self.shape, dtype=np.int16)
            image[mask] = np.clip(400 * np.hypot(clean + noise[0], noise[1]), 1, 32767).astype(np.int16)
            images[modality] = image
        return images

    def _blurred(self, clean: np.ndarray, mask: np.ndarray, modality: str) -> np.ndarray:
        """The image of the brain's voxels smoothed within the slice, without the air around it."""
        width = self.blur.get(modality, 0.0) / self.spacing
        if width == 0:
            return clean
        image = np.zeros(self.shape, dtype=np.float32)
        image[mask] = clean
        smooth, weight = (gaussian_filter(a, (width, width, 0)) for a in (image, mask.astype(np.float32)))
        return np.asarray(smooth[mask] / weight[mask])

    def _tissue(self, name: str) -> Tissue:
        tissue, oedema, share = TISSUES[name], TISSUES["oedema"], self.core_contrast
        if name not in ("enhancing", "necrosis") or share == 1:
            return tissue
        return Tissue(*(float(share * own + (1 - share) * around) for own, around in zip(tissue, oedema, strict=True)))

    def _jittered(self, rng: np.random.Generator, name: str) -> Tissue:
        factors = np.clip(rng.normal(1, self.tissue_jitter, size=4), 0.7, 1.3)
        tissue = self._tissue(name)
        tissue = tissue._replace(
            t1=tissue.t1 * factors[0],
            t1_post=tissue.t1_post * factors[0],
            t2=tissue.t2 * factors[1],
            density=tissue.density * (1 + (factors[2] - 1) / 2),
        )
        if name != "enhancing":
            return tissue
        mean, deviation, low, high = self.enhancing_t1_post
        return tissue._replace(t1_post=float(np.clip(rng.normal(mean, deviation), low, high)))


def _labels(lesions: Lesions, inside: np.ndarray) -> np.ndarray:
    """BraTS coding of the tissue that fills most of a voxel, where that is a lesion."""
    oedema, enhancing, necrosis = lesions
    shares = np.stack([1 - oedema - enhancing - necrosis, necrosis, oedema, enhancing])
    labels = np.array([0, 1, 2, 4], dtype=np.uint8)[shares.argmax(axis=0)]
    return np.where(inside >= 0.5, labels, 0).astype(np.uint8)


def brain_phantom(
    root: str | PathLike[str],
    num_training: int = 24,
    num_validation: int = 6,
    spatial_dims: int = 3,
    shape: tuple[int, ...] | None = None,
    spacing: float = 2.0,
    seed: int = 0,
    progress: bool = True,
    **levers: Any,
) -> str:
    """Make a data set of phantom cases in the layout of BraTS, unless it is there already.

    ``<root>/brain-3d-<hash>/{train,validation}/PHANTOM_0001/PHANTOM_0001_{flair,t1ce,t1,t2,seg}.nii.gz``; the hash is
    of all parameters, so another choice makes another folder. A folder that is there is complete: it is made under
    another name and renamed. The same parameters give the same files, bit for bit.

    Args:
        root: where the folder is made.
        num_training: number of training cases.
        num_validation: number of validation cases.
        spatial_dims: 3, or 2 for axial slices, one file (H, W, 1) each.
        shape: of the grid, ``spatial_dims`` sizes; None for a whole brain at 2 mm.
        spacing: in mm.
        seed: of the anatomies.
        progress: show a bar.
        levers: other attributes of `BrainPhantom`.

    Returns:
        Path of the data set.

    Raises:
        ValueError: when ``spatial_dims`` is neither 2 nor 3, ``shape`` does not fit it, or there is no training case.
        TypeError: when a lever does not exist.
    """
    if spatial_dims not in (2, 3):
        raise ValueError(f"spatial_dims must be 2 or 3, got {spatial_dims}")
    phantom = BrainPhantom() if spatial_dims == 3 else BrainPhantom(shape=(88, 104, 1), heights=(-14.0, 30.0))
    if shape is not None:
        if len(shape) != spatial_dims:
            raise ValueError(f"shape must have {spatial_dims} sizes, got {tuple(shape)}")
        phantom = replace(phantom, shape=(shape[0], shape[1], shape[2] if spatial_dims == 3 else 1))
    phantom = replace(phantom, spacing=float(spacing), **levers)

    def write_case(folder: Path, name: str, rng: np.random.Generator) -> None:
        for key, image in phantom.draw(rng).items():
            write_nifti(folder / f"{name}_{key}.nii.gz", image, phantom.spacing)

    sections: Mapping[str, int] = {"train": num_training, "validation": num_validation}
    parameters = {"version": _VERSION, **asdict(phantom)}
    return phantom_folder(root, f"brain-{spatial_dims}d", parameters, sections, seed, write_case, progress)
