"""A variant sets named options together, the caller may change each on its own; checks that several of them need."""

from collections.abc import Mapping
from typing import Any

from passion_monai.utils.messages import nearest

__all__ = ["checked_floor", "variant_options"]


def variant_options(
    variants: Mapping[str, Mapping[str, Any]], variant: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of a variant with the caller's changes.

    Args:
        variants: options by variant; every variant has the same names.
        variant: which one to start from.
        options: values that replace the variant's.

    Raises:
        ValueError: for an unknown variant.
        TypeError: for an unknown option; both name the nearest known one.

    Example:
        >>> variants = {"paper": {"floor": 0.0}, "reference": {"floor": 0.005}}
        >>> variant_options(variants, "reference", {})
        {'floor': 0.005}
        >>> variant_options(variants, "paper", {"flor": 0.1})
        Traceback (most recent call last):
        TypeError: unknown option 'flor': did you mean 'floor'? known: floor
    """
    if variant not in variants:
        raise ValueError(f"unknown variant {variant!r}: {nearest(variant, variants)}")
    known = variants[variant]
    for name in options:
        if name not in known:
            raise TypeError(f"unknown option {name!r}: {nearest(name, known)}")
    return {**known, **options}


def checked_floor(floor: float) -> float:
    """The smallest probability that enters a logarithm, in [0, 1).

    Raises:
        ValueError: when it is not in that range.
    """
    if not 0 <= floor < 1:
        raise ValueError(f"floor must be a probability in [0, 1), got {floor}")
    return float(floor)
