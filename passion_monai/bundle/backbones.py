"""The network that a config asks for: by the name of an entry in its table, as an entry, or as a builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from passion_monai.bundle.options import choose
from passion_monai.engines.windows import check_window
from passion_monai.networks import make_backbone

__all__ = ["backbone_arguments", "build_backbone", "check_backbone"]

Entry = Mapping[str, Any] | Callable[[], Any]


def build_backbone(
    choice: str | Entry, table: Mapping[str, Entry], spatial_dims: int, num_modalities: int, num_classes: int
) -> Any:
    """The chosen network; no other one is built.

    Args:
        choice: a key of ``table``, or an entry (a config pointer such as ``@backbones#rfnet``, or what a trained model
            says of itself).
        table: name to an entry: ``{"name": "mmformer", ...}``, a name of `networks.BACKBONES` with arguments that
            differ from its defaults; or a builder (``_target_`` with ``"_mode_": "callable"``) of your own network.
        spatial_dims: 2 or 3.
        num_modalities: M.
        num_classes: K, background included.

    Raises:
        ValueError: lists the known names and the nearest one.
        TypeError: when an entry has an argument that the backbone has not.

    Example:
        >>> table = {"small": {"name": "rfnet", "channels": [4, 8]}}
        >>> build_backbone("small", table, 2, 4, 4).divisor
        2
        >>> build_backbone("smal", table, 2, 4, 4)
        Traceback (most recent call last):
        ValueError: unknown --backbone 'smal', did you mean 'small'? Known: small
    """
    sizes = {"spatial_dims": spatial_dims, "num_modalities": num_modalities, "num_classes": num_classes}

    def builder(entry: Entry) -> Callable[[], Any]:
        return entry if callable(entry) else lambda: make_backbone(**{**sizes, **entry})

    if not isinstance(choice, str):
        return builder(choice)()
    return choose("backbone", choice, {name: builder(entry) for name, entry in table.items()})


def check_backbone(
    choice: str | Entry,
    table: Mapping[str, Entry],
    spatial_dims: int,
    num_modalities: int,
    num_classes: int,
    roi_size: Sequence[int],
) -> None:
    """Make the chosen network and throw it away: what is wrong with it is said before any case is prepared.

    Run it before the seed is set: it draws weights.

    Args:
        choice: see `build_backbone`, as the next four.
        table: of backbones.
        spatial_dims: 2 or 3.
        num_modalities: M.
        num_classes: K.
        roi_size: the crop that it must take.

    Raises:
        ValueError: when there is no such backbone, or it does not take the crop.

    Example:
        >>> check_backbone("small", {"small": {"name": "rfnet", "channels": [4, 8]}}, 2, 4, 4, [15, 16])
        Traceback (most recent call last):
        ValueError: --roi_size [15, 16] does not fit RFNet: spatial size (15, 16) is not divisible by 2, ...
    """
    check_window(build_backbone(choice, table, spatial_dims, num_modalities, num_classes), roi_size)


def backbone_arguments(choice: str | Entry, table: Mapping[str, Entry]) -> dict[str, Any] | None:
    """The entry of the chosen backbone, to be kept with the model; None for a builder, which only its config knows.

    Example:
        >>> backbone_arguments("small", {"small": {"name": "rfnet", "channels": [4, 8]}})
        {'name': 'rfnet', 'channels': [4, 8]}
    """
    entry = table.get(choice) if isinstance(choice, str) else choice
    return dict(entry) if isinstance(entry, Mapping) else None
