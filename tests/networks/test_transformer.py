"""The transformer block against torch's own attention."""

import pytest
import torch
from torch import nn

from passion_monai.networks.transformer import TransformerBlock


def test_attention_equals_torchs_multi_head_attention() -> None:
    torch.manual_seed(0)
    block, x = TransformerBlock(8, 2, 16, 0.0).eval(), torch.rand(2, 5, 8)
    reference = nn.MultiheadAttention(8, 2, bias=True, batch_first=True)
    reference.load_state_dict(
        {
            "in_proj_weight": block.qkv.weight,
            "in_proj_bias": torch.zeros(24),
            "out_proj.weight": block.project[0].weight,
            "out_proj.bias": block.project[0].bias,
        }
    )
    normed = block.attention_norm(x)
    attended = x + reference(normed, normed, normed)[0]
    torch.testing.assert_close(block(x), attended + block.mlp(block.mlp_norm(attended)))


def test_masked_keys_do_not_matter() -> None:
    torch.manual_seed(0)
    block, x, mask = TransformerBlock(8, 2, 16, 0.0).eval(), torch.rand(1, 4, 8), torch.ones(1, 1, 4, 4).bool()
    mask[..., 3] = False
    changed = x.clone()
    changed[:, 3] += 1
    assert torch.equal(block(x, mask)[:, :3], block(changed, mask)[:, :3])
    assert torch.equal(block.attention(x, 1, mask)[..., 3], torch.zeros(1, 2, 3))


def test_dropout_of_attention_acts_in_training_only() -> None:
    torch.manual_seed(0)
    block, x, mask = TransformerBlock(8, 2, 16, 0.5), torch.rand(1, 4, 8), torch.ones(1, 1, 4, 4).bool()
    assert (block.attention(x, 0, mask) == 0).any()
    torch.testing.assert_close(block.eval().attention(x, 2, mask).sum(dim=3), torch.ones(1, 2, 2))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"embed_dim \(8\) must be a multiple of num_heads \(3\)"):
        TransformerBlock(8, 3, 16, 0.0)
