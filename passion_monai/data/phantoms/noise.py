"""Smooth random fields of a given length scale: what makes every phantom's anatomy, texture and bias its own.

A field is a sum of products of cosines with random weights, evaluated axis by axis as matrix products. That is faster
than filtering white noise, and a field in a slice needs no volume.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["random_field"]


def random_field(
    rng: np.random.Generator,
    shape: Sequence[int],
    spacing: float | Sequence[float],
    wavelengths: tuple[float, float],
) -> np.ndarray:
    r"""Isotropic random field with zero mean and about unit variance.

    .. math::
        f(x) = \sum_{k} a_k \prod_{i} \cos\left(2 \pi \nu_{k_i} x_i\right), \qquad \nu_k = \frac{k}{2 L_i},
        \quad a_k \sim N(0, 1) \text{ where } 1/\lambda_{max} \le |\nu_k| \le 1/\lambda_{min}, \text{ else } 0

    Args:
        rng: source of randomness.
        shape: of the field, any number of axes; an axis of size 1 does not vary.
        spacing: of its samples in mm, one for all axes or one per axis.
        wavelengths: shortest and longest, :math:`\lambda_{min}` and :math:`\lambda_{max}`, in mm.

    Returns:
        Array of that shape, float32.

    Example:
        >>> random_field(np.random.default_rng(0), (40, 40, 1), spacing=2.0, wavelengths=(20, 40)).shape
        (40, 40, 1)
    """
    shortest, longest = wavelengths
    spacings = np.broadcast_to(spacing, len(shape)).tolist()
    # 1.1: the lowest mode along an axis must be in, also when the grid is smaller than the wavelength
    lengths = [max(size * step, longest / 1.9) if size > 1 else 0.0 for size, step in zip(shape, spacings, strict=True)]
    counts = [int(2 * length / shortest) + 1 for length in lengths]
    frequencies = [
        np.arange(n) / (2 * length) if length else np.zeros(1) for n, length in zip(counts, lengths, strict=True)
    ]
    magnitude = np.sqrt(sum(f**2 for f in np.meshgrid(*frequencies, indexing="ij", sparse=True)))
    weights = rng.standard_normal(counts) * ((magnitude >= 1 / longest) & (magnitude <= 1 / shortest))
    field = (weights / max(np.sqrt((weights**2).sum()), 1e-12)).astype(np.float32)
    for axis, (size, step, f) in enumerate(zip(shape, spacings, frequencies, strict=True)):
        # sqrt(2): a cosine has mean square 1/2, the constant mode 1
        basis = np.cos(2 * np.pi * step * np.outer(np.arange(size) + 0.5, f)) * np.where(f > 0, np.sqrt(2), 1)
        field = np.moveaxis(np.tensordot(basis.astype(np.float32), field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field)
