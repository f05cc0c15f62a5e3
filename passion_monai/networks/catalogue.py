"""The backbones by name: the paper's three, a small one, and networks of MONAI."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from monai.networks.nets import BasicUNet, DynUNet, SegResNet, SwinUNETR

from passion_monai.networks.adapter import MonaiSegmenter
from passion_monai.networks.contract import IncompleteSegmenter
from passion_monai.networks.m2ftrans import M2FTrans
from passion_monai.networks.mmformer import MMFormer
from passion_monai.networks.rfnet import RFNet
from passion_monai.utils.messages import nearest

__all__ = ["BACKBONES", "make_backbone"]


def _adapted(
    network: Callable[..., Any], spatial_dims: int, num_modalities: int, num_classes: int, **options: Any
) -> MonaiSegmenter:
    """A network of MONAI for one channel, made into one for M modalities."""
    single = network(spatial_dims=spatial_dims, in_channels=1, out_channels=num_classes, **options)
    return MonaiSegmenter(single, num_modalities)


BACKBONES: dict[str, Callable[..., IncompleteSegmenter]] = {
    "mmformer": MMFormer,
    "mmformer_small": partial(
        MMFormer, channels=[8, 12, 16, 24, 32], embed_dim=64, num_heads=4, mlp_dim=128, token_grid=3
    ),
    "rfnet": RFNet,
    "m2ftrans": M2FTrans,
    "segresnet": partial(_adapted, SegResNet, init_filters=8),
    "dynunet": partial(
        _adapted,
        DynUNet,
        kernel_size=[3, 3, 3, 3],
        strides=[1, 2, 2, 2],
        upsample_kernel_size=[2, 2, 2],
        filters=[16, 32, 64, 128],
    ),
    "basicunet": partial(_adapted, BasicUNet, features=[16, 16, 32, 64, 128, 16]),
    "swinunetr": partial(_adapted, SwinUNETR, feature_size=12),
}


def make_backbone(
    name: str, spatial_dims: int, num_modalities: int, num_classes: int, **options: Any
) -> IncompleteSegmenter:
    """A backbone with new weights.

    Args:
        name: a key of `BACKBONES`.
        spatial_dims: 2 or 3.
        num_modalities: M.
        num_classes: K, background included.
        options: arguments of the backbone's class (of MONAI's network, for an adapted one), in place of the defaults.

    Raises:
        ValueError: when there is no such backbone; the known ones are listed.
        TypeError: when the backbone has no such argument.

    Example:
        >>> type(make_backbone("rfnet", 2, 4, 4, channels=[4, 8])).__name__
        'RFNet'
    """
    if name not in BACKBONES:
        raise ValueError(f"no backbone {name!r}: {nearest(name, BACKBONES)}")
    return BACKBONES[name](spatial_dims=spatial_dims, num_modalities=num_modalities, num_classes=num_classes, **options)
