import math

import pytest
import torch

from passion_monai.metrics import disagreement, entropy


def test_entropy_equation():
    p = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    by_hand = -sum(p[1, k, 2, 3].item() * math.log(p[1, k, 2, 3].item()) for k in range(3)) / math.log(3)
    assert entropy(p)[1, 2, 3].item() == pytest.approx(by_hand, rel=1e-5)


def test_disagreement_equation():
    p = torch.rand(3, 1, 4, 2, generator=torch.Generator().manual_seed(0)).softmax(dim=2)

    def nats(row):
        return -sum(x * math.log(x) for x in row)

    mean = [sum(p[n, 0, k, 1].item() for n in range(3)) / 3 for k in range(4)]
    by_hand = nats(mean) - sum(nats(p[n, 0, :, 1].tolist()) for n in range(3)) / 3
    assert disagreement(p)[0, 1].item() == pytest.approx(by_hand / math.log(3), rel=1e-5)


def test_more_modalities_than_classes_can_disagree_fully():
    sure = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])[:, None]
    assert disagreement(sure).tolist() == pytest.approx([1.0])


def test_unsure_alike_is_no_disagreement():
    same = torch.rand(1, 4, 6, generator=torch.Generator().manual_seed(0)).softmax(dim=1).expand(3, 1, 4, 6)
    assert disagreement(same).max() < 1e-6


@pytest.mark.parametrize("function", [entropy, disagreement])
def test_too_little_is_refused(function):
    with pytest.raises(ValueError, match=r"got \(1, 1\)"):
        function(torch.ones(1, 1))
