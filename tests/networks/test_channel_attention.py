"""Attention between channels, against an explicit loop over cases."""

import torch

from passion_monai.networks.channel_attention import ChannelCrossAttention


def test_a_layer_equals_a_loop_over_cases_and_present_modalities() -> None:
    torch.manual_seed(0)
    layer = ChannelCrossAttention(2, num_modalities=3, channels=4, dropout=0.0).first
    query, modalities = torch.randn(2, 4, 3, 5), torch.randn(2, 3, 4, 3, 5)
    presence = torch.tensor([[True, True, False], [False, False, True]])
    found = layer(query, modalities, presence, ~presence)
    for b in range(2):
        branches = [(m, branch) for m, branch in enumerate(layer.keys_values.branches) if presence[b, m]]
        keys = torch.cat([branch.key(modalities[b : b + 1, m])[0].flatten(1) for m, branch in branches])
        values = torch.cat([branch.value(modalities[b : b + 1, m])[0].flatten(1) for m, branch in branches])
        weights = (layer.query(query[b : b + 1])[0].flatten(1) @ keys.T / 15**0.5).softmax(dim=1)
        attended = query[b : b + 1] + layer.out((weights @ values).reshape(1, 4, 3, 5))
        expected = torch.nn.functional.gelu(attended + layer.bottleneck.body(attended))
        torch.testing.assert_close(found[b : b + 1], expected, rtol=1e-4, atol=1e-5)


def test_absent_maps_do_not_matter() -> None:
    torch.manual_seed(0)
    attention = ChannelCrossAttention(3, num_modalities=2, channels=2, dropout=0.0).eval()
    query, modalities, presence = (
        torch.randn(1, 2, 2, 2, 2),
        torch.randn(1, 2, 2, 2, 2, 2),
        torch.tensor([[True, False]]),
    )
    changed = modalities.clone()
    changed[:, 1] += 5
    assert torch.equal(attention(query, modalities, presence), attention(query, changed, presence))
