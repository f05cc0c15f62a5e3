"""M2FTrans: learnable fusion tokens gather what the present modalities say; their attention weights the modalities.

Reference:
    Shi et al., "M2FTrans: Modality-Masked Fusion Transformer for Incomplete Multi-Modality Brain Tumor Segmentation",
    IEEE Journal of Biomedical and Health Informatics 2024. Sizes as in the code release of PASSION (ACM MM 2024).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from monai.utils import ensure_tuple_rep
from torch import Tensor, nn
from torch.nn import functional as F

from passion_monai.networks.blocks import (
    AuxiliaryDecoder,
    ConvNormAct,
    Encoder,
    FusionBlock,
    Merge,
    Rise,
    check_five_stages,
    initialise,
)
from passion_monai.networks.channel_attention import ChannelCrossAttention
from passion_monai.networks.contract import Decoded, IncompleteSegmenter, beside
from passion_monai.networks.convolution import CONVOLUTIONS
from passion_monai.networks.per_modality import PerModality, input_channels, keep_only, seen_modalities
from passion_monai.networks.transformer import TransformerBlock

__all__ = ["M2FTrans"]


class M2FTrans(IncompleteSegmenter):
    """Modality-masked fusion transformer.

    At 1/16 of the input size, tokens of a modality attend to their own modality only, and fusion tokens attend to the
    present modalities and to themselves. What the fusion tokens attend to in the first block, summed over heads and
    fusion tokens, weights each voxel of each modality at every level; no gradient passes through these weights, whose
    mean is about ``num_heads / (number of present modalities + 1)``. Deep logits are at 1, 1/2, 1/4, 1/8 and 1/16.

    Args:
        spatial_dims: 2 or 3.
        num_modalities: M.
        num_classes: K, background included.
        channels: channels of the five encoder stages; the last is the token width and a multiple of ``num_heads``.
        num_heads: attention heads.
        mlp_dim: hidden width of the transformer's MLPs.
        depth: transformer blocks.
        token_grid: grid of positional embeddings and fusion tokens, one number or one an axis: 1/16 of the training
            crop. Other input sizes interpolate them.
        dropout: probability in the transformer and the channel attention.

    Raises:
        ValueError: when there are not five channels, or ``num_heads`` does not divide the last.

    Example:
        >>> network = M2FTrans(2, 3, 6, channels=(4, 4, 4, 4, 8), num_heads=2, mlp_dim=16, token_grid=2)
        >>> x = torch.rand(1, 3, 32, 48)
        >>> x[:, 1] = torch.nan  # this case lacks modality 1
        >>> network(x).shape
        torch.Size([1, 6, 32, 48])
    """

    def __init__(
        self,
        spatial_dims: int,
        num_modalities: int,
        num_classes: int,
        channels: Sequence[int] = (8, 16, 32, 64, 128),
        num_heads: int = 8,
        mlp_dim: int = 4096,
        depth: int = 3,
        token_grid: int | Sequence[int] = 5,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(spatial_dims, num_modalities, num_classes, divisor=16)
        check_five_stages(channels)
        M, K, dims, D = num_modalities, num_classes, spatial_dims, channels[-1]
        self.interpolation = "trilinear" if dims == 3 else "bilinear"
        grid = ensure_tuple_rep(token_grid, dims)
        self.encoders = PerModality(Encoder(dims, channels) for _ in range(M))
        self.position = nn.Parameter(torch.zeros(M + 1, D, *grid))
        self.fusion_tokens = nn.Parameter(torch.randn(1, D, *grid))
        self.transformer = nn.ModuleList([TransformerBlock(D, num_heads, mlp_dim, dropout) for _ in range(depth)])
        deepest_first = channels[::-1]
        joins: list[nn.Module] = [ChannelCrossAttention(dims, M, c, dropout) for c in deepest_first[:2]]
        joins += [_Concatenation(dims, M, c) for c in deepest_first[2:]]
        rises = [Rise(dims, deep, fine, "post") for deep, fine in pairwise(deepest_first)]
        self.rises = nn.ModuleList([nn.Identity(), *rises])
        self.heads = nn.ModuleList([_head(dims, c, K) for c in deepest_first])
        self.joins = nn.ModuleList(joins)
        self.merges = nn.ModuleList([Merge(dims, c, "post") for c in deepest_first])
        self.classifier = CONVOLUTIONS[dims](channels[0], K, 1)
        self.auxiliary_decoder = AuxiliaryDecoder(dims, channels, K, "post")
        initialise(self)

    def encode(self, x: Tensor, available: Tensor) -> list[Tensor]:
        """Five convolutional levels, see `IncompleteSegmenter.encode`."""
        return self.encoders(x.unsqueeze(2), available)

    def decode(self, features: list[Tensor], presence: Tensor) -> Decoded:
        """Decode the present modalities, see `IncompleteSegmenter.decode`."""
        deepest, x, weights = self._gather(keep_only(features[-1], presence), presence)
        seen, kept = seen_modalities(features[:-1] + [deepest], presence)  # noqa: RUF005 - TorchScript
        if kept is not None:
            weights = weights.index_select(1, kept)
        deep_logits: list[Tensor] = []
        for n, (rise, head, join, merge) in enumerate(zip(self.rises, self.heads, self.joins, self.merges)):  # noqa: B905
            level = seen[len(seen) - 1 - n]
            level = level * F.interpolate(weights, level.shape[3:], mode="nearest").unsqueeze(2)
            x = rise(x)
            deep_logits.insert(0, head(x))
            x = merge(join(x, level, presence, kept), x)
        return Decoded(logits=self.classifier(x), deep_logits=deep_logits, features=x)

    def auxiliary(self, features: list[Tensor]) -> list[Tensor]:
        """Logits of each modality alone, M tensors ``(B, K, *S)``."""
        return self.auxiliary_decoder.per_modality(features)

    def _gather(self, volume: Tensor, presence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """From the deepest level ``(B, M, D, *S_4)`` through the transformer.

        Returns:
            modality maps shaped like ``volume``, fused map ``(B, D, *S_4)``, weights ``(B, M, *S_4)`` that are zero
            for absent modalities.
        """
        B, M = volume.shape[:2]
        grid = volume.shape[3:]
        fusion = self._resized(self.fusion_tokens, volume).expand([B, 1] + list(volume.shape[2:]))  # noqa: RUF005
        volume = torch.cat([volume, fusion], dim=1) + self._resized(self.position, volume)
        tokens = volume.flatten(3).transpose(2, 3)  # (B, M + 1, N, D)
        N = tokens.shape[2]
        mask = attention_mask(beside(presence, volume), N)
        tokens = tokens.flatten(1, 2)
        attention = self.transformer[0].attention(tokens, M * N, mask)  # type: ignore[operator]
        weights = attention.sum(dim=(1, 2))[:, : M * N].detach()
        for block in self.transformer:
            tokens = block(tokens, mask)
        maps = tokens.unflatten(1, [M + 1, N]).transpose(2, 3).unflatten(3, grid)
        return maps[:, :M], maps[:, M], weights.unflatten(1, [M, N]).unflatten(2, grid)

    def _resized(self, on_grid: Tensor, volume: Tensor) -> Tensor:
        """Interpolate ``(*, D, *token_grid)`` to the grid of ``volume`` ``(B, M, D, *S_4)``."""
        grid = volume.shape[3:]
        if on_grid.shape[2:] == grid:
            return on_grid
        return F.interpolate(on_grid, grid, mode=self.interpolation, align_corners=True)


def attention_mask(presence: Tensor, num_tokens: int) -> Tensor:
    """Who may attend to whom: a modality to itself, the fusion tokens (last) to present modalities and themselves.

    Args:
        presence: ``(B, M)`` bool.
        num_tokens: N, tokens of each modality, and fusion tokens.

    Returns:
        ``(B, 1, (M + 1) N, (M + 1) N)`` bool, queries first.

    Example:
        >>> attention_mask(torch.tensor([[True, False]]), num_tokens=1).int()
        tensor([[[[1, 0, 0],
                  [0, 1, 0],
                  [1, 0, 1]]]], dtype=torch.int32)
    """
    B, M = presence.shape
    itself = torch.eye(M + 1, dtype=torch.bool, device=presence.device)
    gathers = torch.cat([presence, presence.new_ones(B, 1)], dim=1).unsqueeze(1)
    others = torch.cat([gathers.new_zeros(B, M, M + 1), gathers], dim=1)
    allowed = (itself | others).repeat_interleave(num_tokens, dim=1).repeat_interleave(num_tokens, dim=2)
    return allowed.unsqueeze(1)


class _Concatenation(nn.Module):
    """Joins modalities by convolution where attention between channels would be too large."""

    def __init__(self, spatial_dims: int, num_modalities: int, channels: int) -> None:
        super().__init__()
        self.fusion = FusionBlock(spatial_dims, num_modalities * channels, channels, channels)

    def forward(self, query: Tensor, modalities: Tensor, presence: Tensor, kept: Tensor | None) -> Tensor:
        """From modalities ``(B, P, C, *S)`` to ``(B, C, *S)``; the signature is `ChannelCrossAttention`'s."""
        return self.fusion(modalities.flatten(1, 2), input_channels(kept, modalities.shape[2]))


def _head(spatial_dims: int, channels: int, num_classes: int) -> nn.Sequential:
    return nn.Sequential(ConvNormAct(spatial_dims, channels, 16, 1), CONVOLUTIONS[spatial_dims](16, num_classes, 1))
