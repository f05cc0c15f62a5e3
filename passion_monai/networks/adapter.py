"""Any encoder-decoder of MONAI as a backbone: its encoder once a modality, fused levels, its decoder shared.

The fusion is ours: at every level and voxel, a softmax over the present modalities, which starts as their mean (the
idea of HeMIS) and learns from each modality's features how much to trust it there.

Reference:
    Havaei et al., "HeMIS: Hetero-Modal Image Segmentation", MICCAI 2016. https://arxiv.org/abs/1607.05194
"""

from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import torch
from monai.networks.layers import Conv
from torch import Tensor, nn

from passion_monai.networks.contract import Decoded, IncompleteSegmenter, beside
from passion_monai.networks.monai_parts import Parts, cut
from passion_monai.networks.per_modality import PerModality, keep_only

__all__ = ["MonaiSegmenter", "PresenceFusion"]


class MonaiSegmenter(IncompleteSegmenter):
    """Turn a network of MONAI into one that accepts any subset of its modalities.

    Every encoder starts as a copy of the network's (trained weights are kept), so does the auxiliary decoder. With one
    modality the logits are the network's own. Every stage of the decoder but the last gets a head for deep logits.

    Args:
        network: a `BasicUNet`, `DynUNet`, `SegResNet` or `SwinUNETR` for one input channel; in a config, a nested
            ``_target_``. Or a callable without arguments that makes one (``"_mode_": "callable"``).
        num_modalities: M.

    Raises:
        TypeError: when the network's class is not supported.
        ValueError: when the network takes more than one channel, normalises over the batch, or its logits do not have
            the size of its input.

    Example:
        >>> from monai.networks.nets import SegResNet
        >>> network = MonaiSegmenter(SegResNet(spatial_dims=2, in_channels=1, out_channels=3), num_modalities=3)
        >>> x = torch.rand(1, 3, 16, 16)
        >>> x[:, 1] = torch.nan  # this case lacks modality 1
        >>> network(x).shape
        torch.Size([1, 3, 16, 16])
    """

    def __init__(self, network: nn.Module | Callable[[], nn.Module], num_modalities: int) -> None:
        parts = cut(network if isinstance(network, nn.Module) else network())
        form = _form(parts)
        dims = form.spatial_dims
        super().__init__(dims, num_modalities, form.num_classes, parts.divisor, smallest=parts.divisor)
        self.encoders = PerModality(deepcopy(parts.encoder) for _ in range(num_modalities))
        self.fusions = nn.ModuleList([PresenceFusion(num_modalities, c) for c in form.level_channels])
        self.decoder = parts.decoder
        self.classifier = parts.classifier
        self.heads = nn.ModuleList([Conv[Conv.CONV, dims](c, form.num_classes, 1) for c in form.map_channels[1:]])
        self.auxiliary_decoder = deepcopy(parts.decoder)
        self.auxiliary_classifier = deepcopy(parts.classifier)

    def encode(self, x: Tensor, available: Tensor) -> list[Tensor]:
        """The levels of the network's encoder, see `IncompleteSegmenter.encode`."""
        return self.encoders(x.unsqueeze(2), available)

    def decode(self, features: list[Tensor], presence: Tensor) -> Decoded:
        """Decode the present modalities, see `IncompleteSegmenter.decode`."""
        presence = beside(presence, features[0])
        fused: list[Tensor] = []
        for n, fusion in enumerate(self.fusions):
            fused.append(fusion(features[n], presence))
        maps: list[Tensor] = self.decoder(fused)
        deep_logits: list[Tensor] = []
        for n, head in enumerate(self.heads):
            deep_logits.append(head(maps[n + 1]))
        return Decoded(logits=self.classifier(maps[0]), deep_logits=deep_logits, features=maps[0])

    def auxiliary(self, features: list[Tensor]) -> list[Tensor]:
        """Logits of each modality alone from a second decoder, M tensors ``(B, K, *S)``."""
        alone = [[level[:, m] for level in features] for m in range(features[0].shape[1])]
        return [self.auxiliary_classifier(self.auxiliary_decoder(levels)[0]) for levels in alone]


class PresenceFusion(nn.Module):
    r"""Average the present modalities with weights that depend on their features.

    .. math::
        \hat F = \sum_m a_m F_m, \qquad a = \operatorname{softmax}_{m\ \text{present}}(w_m \cdot F_m + b_m),

    voxel by voxel; :math:`w = b = 0` at the start, which is the mean.

    Args:
        num_modalities: M.
        channels: C.

    Example:
        >>> features = torch.tensor([[[2.0]], [[4.0]], [[9.0]]]).reshape(1, 3, 1, 1, 1)
        >>> PresenceFusion(3, 1)(features, torch.tensor([[True, True, False]])).flatten()
        tensor([3.], grad_fn=<ViewBackward0>)
    """

    def __init__(self, num_modalities: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_modalities, channels))
        self.bias = nn.Parameter(torch.zeros(num_modalities, 1))

    def forward(self, features: Tensor, presence: Tensor) -> Tensor:
        """From ``(B, M, C, *S)`` and ``(B, M)`` bool to ``(B, C, *S)``."""
        seen = keep_only(features, presence).flatten(3)  # (B, M, C, V)
        scores = torch.einsum("bmcv,mc->bmv", seen, self.weight) + self.bias
        trust = scores.masked_fill(~presence.unsqueeze(2), float("-inf")).softmax(dim=1)
        return (trust.unsqueeze(2) * seen).sum(dim=1).unflatten(2, features.shape[3:])


class _Form(NamedTuple):
    spatial_dims: int
    num_classes: int
    level_channels: list[int]
    map_channels: list[int]


def _form(parts: Parts) -> _Form:
    """Shapes inside the network, from a run without data (meta tensors hold no numbers)."""
    encoder, decoder, classifier = (deepcopy(part).to("meta") for part in parts[:3])
    first = next(module for module in encoder.modules() if isinstance(module, nn.Conv2d | nn.Conv3d))
    spatial_dims = len(first.kernel_size)
    size = [2 * parts.divisor] * spatial_dims
    levels = encoder(torch.empty(1, 1, *size, device="meta"))
    maps = decoder(levels)
    logits = classifier(maps[0])
    if list(logits.shape[2:]) != size:
        raise ValueError(
            f"the network's logits must have its input's size, got {tuple(logits.shape[2:])} for {tuple(size)}: "
            f"let its first level keep the size"
        )
    return _Form(spatial_dims, logits.shape[1], [level.shape[1] for level in levels], [m.shape[1] for m in maps])
