"""Cross-attention between channels: a fused feature map asks every present modality which of its channels help.

Attention between C and M C channels costs the same at any image size, unlike attention between voxels.

Reference:
    Shi et al., "M2FTrans: Modality-Masked Fusion Transformer for Incomplete Multi-Modality Brain Tumor Segmentation",
    IEEE Journal of Biomedical and Health Informatics 2024.
"""

from monai.networks.layers import Conv
from torch import Tensor, nn
from torch.nn import functional as F

from passion_monai.networks.contract import beside
from passion_monai.networks.per_modality import PerModality

__all__ = ["ChannelCrossAttention"]


class ChannelCrossAttention(nn.Module):
    """Two layers of cross-attention from a fused map to the present modalities' maps.

    Each layer: ``q <- q + dropout(out(softmax(Q K^T / sqrt(V)) V))`` over the channels of present modalities, with V
    voxels, then ``q <- GELU(q + bottleneck(q))``. Between the layers the modality maps pass a block of the latter kind.

    Args:
        spatial_dims: 2 or 3.
        num_modalities: M.
        channels: C, the same for the fused map and each modality's.
        dropout: probability after each attention.
    """

    def __init__(self, spatial_dims: int, num_modalities: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.first = _Layer(spatial_dims, num_modalities, channels, dropout)
        self.refresh = _InvertedBottleneck(spatial_dims, channels)
        self.second = _Layer(spatial_dims, num_modalities, channels, dropout)

    def forward(self, query: Tensor, modalities: Tensor, presence: Tensor, kept: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            query: fused map ``(B, C, *S)``.
            modalities: ``(B, P, C, *S)``, finite everywhere.
            presence: ``(B, M)`` bool, best on the host, at least one true in each row.
            kept: which modalities ``modalities`` holds ``(P,)``; None: all.

        Returns:
            ``(B, C, *S)``.
        """
        absent = beside(~presence, query)
        query = self.first(query, _of_all(modalities, presence, kept), presence, absent)
        refreshed = self.refresh(modalities.flatten(0, 1)).unflatten(0, modalities.shape[:2])
        return self.second(query, _of_all(refreshed, presence, kept), presence, absent)


def _of_all(modalities: Tensor, presence: Tensor, kept: Tensor | None) -> Tensor:
    """From ``(B, P, C, *S)`` to ``(B, M, C, *S)``, zero for the modalities that are not kept."""
    if kept is None:
        return modalities
    zeros = modalities.new_zeros(list(presence.shape) + list(modalities.shape[2:]))
    return zeros.index_copy(1, kept, modalities)


class _Layer(nn.Module):
    def __init__(self, spatial_dims: int, num_modalities: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.query = _Embedding(spatial_dims, channels)
        self.keys_values = PerModality(_KeyValue(spatial_dims, channels) for _ in range(num_modalities))
        self.out = nn.Sequential(_Embedding(spatial_dims, channels), nn.Dropout(dropout))
        self.bottleneck = _InvertedBottleneck(spatial_dims, channels)

    def forward(self, query: Tensor, modalities: Tensor, presence: Tensor, absent: Tensor) -> Tensor:
        keys, values = self.keys_values(modalities, presence)
        keys, values = keys.flatten(3).flatten(1, 2), values.flatten(3).flatten(1, 2)  # (B, M * C, V)
        scores = self.query(query).flatten(2) @ keys.transpose(1, 2) * keys.shape[2] ** -0.5
        hidden = absent.repeat_interleave(modalities.shape[2], dim=1).unsqueeze(1)  # (B, 1, M * C)
        weights = scores.masked_fill(hidden, float("-inf")).softmax(dim=2)
        query = query + self.out((weights @ values).reshape(query.shape))
        return self.bottleneck(query)


class _KeyValue(nn.Module):
    """Keys and values of one modality."""

    def __init__(self, spatial_dims: int, channels: int) -> None:
        super().__init__()
        self.key = _Embedding(spatial_dims, channels)
        self.value = _Embedding(spatial_dims, channels)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.key(x), self.value(x)]


class _ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each voxel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.movedim(-1, 1)


class _Embedding(nn.Sequential):
    """1-wide, depth-wise 3-wide and 1-wide convolution, normalised over channels, ``(B, C, *S)`` to the same."""

    def __init__(self, spatial_dims: int, channels: int) -> None:
        super().__init__(*_narrow_wide_narrow(spatial_dims, channels, channels))


class _InvertedBottleneck(nn.Module):
    """The same over four times as many channels, added to its input, with a GELU after the sum."""

    def __init__(self, spatial_dims: int, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_narrow_wide_narrow(spatial_dims, channels, 4 * channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x + self.body(x))


def _narrow_wide_narrow(spatial_dims: int, channels: int, hidden: int) -> list[nn.Module]:
    conv = Conv[Conv.CONV, spatial_dims]
    return [
        conv(channels, hidden, 1),
        _ChannelNorm(hidden),
        nn.GELU(),
        conv(hidden, hidden, 3, padding=1, groups=channels),
        _ChannelNorm(hidden),
        nn.GELU(),
        conv(hidden, channels, 1),
        _ChannelNorm(channels),
    ]
