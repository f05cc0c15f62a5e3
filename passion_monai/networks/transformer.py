"""The transformer block of mmFormer and M2FTrans, on tokens ``(B, N, D)``.

Own block instead of `monai.networks.blocks.TransformerBlock`: that one has no dropout on the attention branch, and
cannot give the attention of some tokens alone, which weights the modalities in M2FTrans.

Reference:
    Zhang et al., "mmFormer", MICCAI 2022, in the form it has in the code release of PASSION (ACM MM 2024).
"""

from monai.networks.blocks import MLPBlock
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["TransformerBlock"]


class TransformerBlock(nn.Module):
    """Pre-norm transformer block: ``x + A(LN(x))``, then ``x + MLP(LN(x))``.

    Attention has no bias in queries, keys and values; dropout acts on the attention weights, on the projection, on the
    branch, and twice in the MLP.

    Args:
        embed_dim: D, channels of a token.
        num_heads: attention heads; must divide D.
        mlp_dim: hidden width of the MLP.
        dropout: probability of every dropout.

    Raises:
        ValueError: when ``num_heads`` does not divide ``embed_dim``.
    """

    def __init__(self, embed_dim: int, num_heads: int, mlp_dim: int, dropout: float) -> None:
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError(f"embed_dim ({embed_dim}) must be a multiple of num_heads ({num_heads})")
        self.num_heads = num_heads
        self.dropout = dropout
        self.attention_norm = nn.LayerNorm(embed_dim)
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim, bias=False)
        self.project = nn.Sequential(nn.Linear(embed_dim, embed_dim), nn.Dropout(dropout), nn.Dropout(dropout))
        self.mlp_norm = nn.LayerNorm(embed_dim)
        self.mlp = MLPBlock(embed_dim, mlp_dim, dropout)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Transform tokens.

        Args:
            tokens: ``(B, N, D)``.
            mask: broadcasts to ``(B, heads, N, N)``, bool: which key (last axis) a query may attend to; None: every.

        Returns:
            ``(B, N, D)``.
        """
        q, k, v = self._project(tokens)
        attended = F.scaled_dot_product_attention(q, k, v, mask, self.dropout if self.training else 0.0)
        tokens = tokens + self.project(attended.transpose(1, 2).flatten(2))
        return tokens + self.mlp(self.mlp_norm(tokens))

    def attention(self, tokens: Tensor, first: int, mask: Tensor) -> Tensor:
        """Attention weights of the tokens from ``first`` on, ``(B, heads, N - first, N)``, after dropout.

        Args:
            tokens: ``(B, N, D)``.
            first: index of the first query.
            mask: as in `forward`.
        """
        q, k, _ = self._project(tokens)
        scores = q[:, :, first:] @ k.transpose(2, 3) * q.shape[3] ** -0.5
        weights = scores.masked_fill(~mask[:, :, first:], float("-inf")).softmax(dim=3)
        return F.dropout(weights, self.dropout, self.training)

    def _project(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each ``(B, heads, N, D / heads)``."""
        qkv = self.qkv(self.attention_norm(tokens)).unflatten(2, [3, self.num_heads, -1])
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v
