import math

import pytest
import torch

from passion_monai.losses import modality_classification, prototype_cross_entropy
from tests.losses.builders import case_of, random_output, random_target


def test_by_hand():
    features = torch.tensor([[[0.0, 2.0, 5.0]]], dtype=torch.float64)
    target = torch.tensor([[[0, 0, 1]]])  # prototypes 1 and 5; distances (1, 5), (1, 3), (4, 0)
    true = [1 / (1 + math.exp(-4)), 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(-4))]
    entropy = sum(-q * math.log(q) - (1 - q) * math.log(1 - q) for q in true) / 3
    found = prototype_cross_entropy(features, target, num_classes=2)
    assert float(found.cross_entropy) == pytest.approx(-sum(map(math.log, true)) / 3)
    assert float(found.score) == pytest.approx(sum(true) / 3)
    assert float(found.entropy) == pytest.approx(entropy)


def test_absent_classes_take_no_probability():
    features, target = torch.randn(1, 2, 9), random_target(1, num_classes=2, size=(9,))
    for few, many in zip(
        prototype_cross_entropy(features, target, 2), prototype_cross_entropy(features, target, 5), strict=True
    ):
        torch.testing.assert_close(few, many)


def test_a_class_of_one_voxel_has_finite_gradients():
    features = torch.randn(1, 2, 5, requires_grad=True)
    found = prototype_cross_entropy(features, torch.tensor([[[0, 0, 0, 0, 1]]]), num_classes=3)
    (found.cross_entropy + found.entropy).sum().backward()
    assert features.grad.isfinite().all()
    assert not found.score.requires_grad


def test_background_alone_is_certain():
    found = prototype_cross_entropy(torch.randn(1, 2, 5), torch.zeros(1, 1, 5), num_classes=3)
    assert [float(value) for value in found] == [0, 1, 0]


def test_modalities_of_cases_with_several():
    output = random_output([[1, 1, 0], [0, 1, 0], [1, 1, 1]], presence=[[1, 0, 0], [0, 1, 0], [0, 1, 1]])
    target = random_target(3)
    found = modality_classification(output, target)
    for b in range(3):
        for m in range(3):
            row, expected = case_of(output, m, b), (0, 0, 0)
            if row is not None:
                expected = prototype_cross_entropy(output.unimodal[m].features[[row]], target[[b]], 3)
            elif (b, m) == (0, 0):  # the teacher saw just this one: its features are the fused ones
                expected = prototype_cross_entropy(output.fused.features[[b]], target[[b]], 3)
            got = [values[b, m].item() for values in found]
            assert got == pytest.approx([torch.as_tensor(value).item() for value in expected], rel=1e-12)


def test_no_gradient_goes_through_the_prototypes():
    features = torch.tensor([[[0.0, 2.0, 5.0]]], requires_grad=True)
    target = torch.tensor([[[0, 0, 1]]])
    (gradient,) = torch.autograd.grad(prototype_cross_entropy(features, target, 2).cross_entropy.sum(), features)
    distance = (features - torch.tensor([[[1.0], [5.0]]])).abs()
    fixed = torch.nn.functional.cross_entropy(-distance, target[:, 0])
    torch.testing.assert_close(gradient[..., :2], torch.autograd.grad(fixed, features)[0][..., :2])
