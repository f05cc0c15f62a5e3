"""mmFormer: a convolutional encoder and a transformer a modality, one transformer across modalities, one decoder.

Reference:
    Zhang et al., "mmFormer: Multimodal Medical Transformer for Incomplete Multimodal Learning of Brain Tumor
    Segmentation", MICCAI 2022. https://arxiv.org/abs/2206.02425. Sizes as in the code release of PASSION (ACM MM 2024).
"""

from collections.abc import Sequence

import torch
from monai.utils import ensure_tuple_rep
from torch import Tensor, nn
from torch.nn import functional as F

from passion_monai.networks.blocks import (
    AuxiliaryDecoder,
    Encoder,
    FusionBlock,
    Merge,
    Rise,
    check_five_stages,
    initialise,
)
from passion_monai.networks.contract import Decoded, IncompleteSegmenter
from passion_monai.networks.convolution import CONVOLUTIONS
from passion_monai.networks.per_modality import PerModality, input_channels, keep_only, seen_modalities
from passion_monai.networks.transformer import TransformerBlock

__all__ = ["MMFormer"]

ORDER = "pre"  # every convolution block of this network normalises first


class MMFormer(IncompleteSegmenter):
    """Incomplete multi-modal transformer.

    Features are five levels of convolutional features at ``1, 1/2, ..., 1/16`` of the input size and a sixth, at 1/16
    too, with the tokens of the modality's own transformer. Tokens of absent modalities enter the transformer across
    modalities as zeros plus position, as published. Deep logits are at 1/2, 1/4, 1/8 and 1/16.

    Args:
        spatial_dims: 2 or 3.
        num_modalities: M.
        num_classes: K, background included.
        channels: channels of the five encoder stages.
        embed_dim: D, channels of a token.
        num_heads: attention heads.
        mlp_dim: hidden width of the transformers' MLPs.
        token_grid: size of the positional embeddings' grid, one number or one an axis: 1/16 of the training crop.
            Other input sizes interpolate it.
        dropout: probability in the transformers.
        compatible: reinterpret the tokens as a volume as the authors' code does, which scrambles modalities and
            positions at 1/16; needed for weights trained by that code. Their wrong mask for the last modality's
            student is not reproduced: features of absent modalities would be seen.

    Raises:
        ValueError: when there are not five channels, or ``num_heads`` does not divide ``embed_dim``.

    Example:
        >>> network = MMFormer(2, 3, 6, channels=(4, 4, 4, 4, 8), embed_dim=8, num_heads=2, mlp_dim=16, token_grid=2)
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
        embed_dim: int = 512,
        num_heads: int = 8,
        mlp_dim: int = 4096,
        token_grid: int | Sequence[int] = 5,
        dropout: float = 0.1,
        compatible: bool = False,
    ) -> None:
        super().__init__(spatial_dims, num_modalities, num_classes, divisor=16)
        check_five_stages(channels)
        M, conv = num_modalities, CONVOLUTIONS[spatial_dims]
        self.compatible = compatible
        self.interpolation = "trilinear" if spatial_dims == 3 else "bilinear"
        grid = ensure_tuple_rep(token_grid, spatial_dims)
        self.encoders = PerModality(_TokenEncoder(spatial_dims, channels, embed_dim) for _ in range(M))
        self.position = nn.Parameter(torch.zeros(M, embed_dim, *grid))
        self.intra = PerModality(_VolumeTransformer(embed_dim, num_heads, mlp_dim, dropout) for _ in range(M))
        self.inter = TransformerBlock(embed_dim, num_heads, mlp_dim, dropout)
        self.mix = conv(M * embed_dim, embed_dim, 1)
        self.bottleneck = FusionBlock(spatial_dims, embed_dim, channels[-1], channels[-1], ORDER, "zeros")
        self.fusions = nn.ModuleList([FusionBlock(spatial_dims, M * c, c, c, ORDER, "zeros") for c in channels[:-1]])
        upwards = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.rises = nn.ModuleList([Rise(spatial_dims, deep, fine, ORDER) for deep, fine in upwards])
        self.merges = nn.ModuleList([Merge(spatial_dims, fine, ORDER) for _, fine in upwards])
        self.heads = nn.ModuleList([conv(c, num_classes, 1) for c in channels[:0:-1]])
        self.classifier = conv(channels[0], num_classes, 1)
        self.auxiliary_decoder = AuxiliaryDecoder(spatial_dims, channels, num_classes, ORDER)
        initialise(self)

    def encode(self, x: Tensor, available: Tensor) -> list[Tensor]:
        """Five convolutional levels, and the tokens of each modality's transformer as a sixth ``(B, M, D, *S_4)``."""
        levels = self.encoders(x.unsqueeze(2), available)
        tokens = levels[-1] + self._position(levels[-1])
        return levels[:-1] + self.intra(tokens, available)

    def decode(self, features: list[Tensor], presence: Tensor) -> Decoded:
        """Decode the present modalities, see `IncompleteSegmenter.decode`."""
        seen, kept = seen_modalities(features[:-1], presence)
        fused: list[Tensor] = []
        for n, fusion in enumerate(self.fusions):
            fused.append(fusion(seen[n].flatten(1, 2), input_channels(kept, seen[n].shape[2])))
        deep_logits: list[Tensor] = []
        x = self.bottleneck(self._across_modalities(keep_only(features[-1], presence)))
        for n, (rise, merge, head) in enumerate(zip(self.rises, self.merges, self.heads)):  # noqa: B905
            deep_logits.insert(0, head(x))
            x = merge(fused[len(fused) - 1 - n], rise(x))
        return Decoded(logits=self.classifier(x), deep_logits=deep_logits, features=x)

    def auxiliary(self, features: list[Tensor]) -> list[Tensor]:
        """Logits of each modality alone from its convolutional features, M tensors ``(B, K, *S)``."""
        return self.auxiliary_decoder.per_modality(features[:-1])

    def _position(self, volume: Tensor) -> Tensor:
        """Positional embeddings ``(M, D, *S_4)`` on the grid of ``volume`` ``(B, M, D, *S_4)``."""
        grid = volume.shape[3:]
        if self.position.shape[2:] == grid:
            return self.position
        return F.interpolate(self.position, grid, mode=self.interpolation, align_corners=True)

    def _across_modalities(self, volume: Tensor) -> Tensor:
        """From tokens ``(B, M, D, *S_4)`` through the inter-modal transformer to ``(B, D, *S_4)``."""
        B, M, D = volume.shape[:3]
        grid = volume.shape[3:]
        tokens = (volume + self._position(volume)).flatten(3).transpose(2, 3)  # (B, M, N, D)
        N = tokens.shape[2]
        tokens = self.inter(tokens.reshape(B, M * N, D))
        if self.compatible:
            columns = tokens.reshape(B, N, M * D).transpose(1, 2)
        else:
            columns = tokens.reshape(B, M, N, D).transpose(2, 3).flatten(1, 2)
        return self.mix(columns.unflatten(2, grid))


class _TokenEncoder(nn.Module):
    """Encoder of one modality, with the deepest level projected to tokens as one more level."""

    def __init__(self, spatial_dims: int, channels: Sequence[int], embed_dim: int) -> None:
        super().__init__()
        self.encoder = Encoder(spatial_dims, channels, ORDER)
        self.tokenise = CONVOLUTIONS[spatial_dims](channels[-1], embed_dim, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """From ``(b, 1, *S)`` to five levels and tokens ``(b, D, *S_4)``."""
        levels = self.encoder(x)
        levels.append(self.tokenise(levels[-1]))
        return levels


class _VolumeTransformer(nn.Module):
    """Transformer of one modality, on tokens that lie on a grid."""

    def __init__(self, embed_dim: int, num_heads: int, mlp_dim: int, dropout: float) -> None:
        super().__init__()
        self.block = TransformerBlock(embed_dim, num_heads, mlp_dim, dropout)

    def forward(self, volume: Tensor) -> list[Tensor]:
        """From ``(b, D, *S_4)`` to one level of the same shape."""
        tokens = self.block(volume.flatten(2).transpose(1, 2))
        return [tokens.transpose(1, 2).reshape(volume.shape)]
