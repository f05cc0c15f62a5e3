import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from passion_monai.losses import (
    class_prototypes,
    modality_prototype_distillation,
    prototype_distillation,
    similarity_maps,
)
from tests.losses.builders import case_of, random_output, random_target


def test_prototypes_ignore_voxels_of_other_classes():
    target = random_target(2)
    features = torch.randn(2, 4, 6, 4)
    changed = torch.where(target == 1, torch.randn_like(features), features)
    before, after = class_prototypes(features, target, 3), class_prototypes(changed, target, 3)
    torch.testing.assert_close(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.allclose(before[:, 1], after[:, 1])


def test_similarity_maps_match_torch():
    features, prototypes = torch.randn(2, 3, 5, 4), torch.randn(2, 4, 3)
    expected = torch.nn.functional.cosine_similarity(features[:, None], prototypes[..., None, None], dim=2)
    torch.testing.assert_close(similarity_maps(features, prototypes), expected)


def test_zero_features_have_finite_gradients():
    features = torch.zeros(1, 2, 4, requires_grad=True)
    loss, distance = prototype_distillation(features, torch.randn(1, 2, 4), torch.tensor([[[0, 0, 1, 1]]]), 2)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert distance.isfinite().all()
    assert features.grad.isfinite().all()


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 3), st.integers(0, 10_000), st.floats(0.1, 10))
def test_cases_do_not_mix_and_scale_does_not_matter(cases, seed, scale):
    torch.manual_seed(seed)
    student, teacher = torch.randn(cases, 3, 4, 4), torch.randn(cases, 3, 4, 4)
    target = torch.randint(0, 4, (cases, 1, 4, 4))
    loss, distance = prototype_distillation(scale * student, teacher, target, 4)
    for b in range(cases):
        one = slice(b, b + 1)
        alone = prototype_distillation(student[one], teacher[one], target[one], 4)
        torch.testing.assert_close((loss[one], distance[one]), alone, rtol=1e-4, atol=1e-6)


def test_an_absent_class_is_left_out_in_its_case_only():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, 12), torch.randn(2, 3, 12)
    target = random_target(2, num_classes=3, size=(12,))
    target[1][target[1] == 2] = 0
    loss, distance = prototype_distillation(student, teacher, target, 3)
    fewer = prototype_distillation(student[1:], teacher[1:], target[1:], 2)
    torch.testing.assert_close((loss[1:], distance[1:]), fewer)
    torch.testing.assert_close(loss[:1], prototype_distillation(student[:1], teacher[:1], target[:1], 3)[0])


def test_background_alone_is_finite():
    student = torch.randn(1, 3, 8, requires_grad=True)
    loss, distance = prototype_distillation(student, torch.randn(1, 3, 8), torch.zeros(1, 1, 8), 4)
    loss.sum().backward()
    assert loss > 0
    assert distance > 0
    assert student.grad.isfinite().all()


def test_gradients_reach_the_student_also_through_its_prototypes_never_the_teacher():
    torch.manual_seed(0)
    student = torch.randn(1, 2, 6, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(1, 2, 6, dtype=torch.float64, requires_grad=True)
    target = random_target(1, size=(6,))
    loss, distance = prototype_distillation(student, teacher, target, 3)
    loss.sum().backward()
    assert teacher.grad is None
    assert not distance.requires_grad
    torch.autograd.gradcheck(lambda f: prototype_distillation(f, teacher.detach(), target, 3)[0], student)


def test_float32_under_autocast():
    student, teacher, target = torch.randn(1, 3, 8), torch.randn(1, 3, 8), random_target(1, size=(8,))
    expected = prototype_distillation(student, teacher, target, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, distance = prototype_distillation(student, teacher, target, 3)
    assert torch.equal(loss, expected[0])
    assert torch.equal(distance, expected[1])


@pytest.mark.parametrize("function", [class_prototypes, lambda f, t, k: prototype_distillation(f, f, t, k)])
def test_shapes_are_named(function):
    with pytest.raises(ValueError, match=r"got \(1, 2, 4\) and \(1, 1, 5\)"):
        function(torch.zeros(1, 2, 4), torch.zeros(1, 1, 5), 2)


def test_student_and_teacher_must_fit():
    with pytest.raises(ValueError, match=r"got \(1, 2, 4\) and \(1, 3, 4\)"):
        prototype_distillation(torch.zeros(1, 2, 4), torch.zeros(1, 3, 4), torch.zeros(1, 1, 4), 2)


def test_every_student_stands_at_its_case_and_modality():
    output = random_output([[1, 1, 0], [0, 1, 0], [1, 0, 1]], presence=[[1, 0, 0], [0, 1, 0], [1, 0, 1]])
    target = random_target(3)
    losses, distances = modality_prototype_distillation(output, target)
    for b in range(3):
        for m in range(3):
            row = case_of(output, m, b)
            expected = (0.0, 0.0)
            if row is not None:
                student, teacher = output.unimodal[m].features[row : row + 1], output.fused.features[b : b + 1]
                loss, distance = prototype_distillation(student, teacher, target[b : b + 1], 3)
                expected = (loss.item(), distance.item())
            assert (losses[b, m].item(), distances[b, m].item()) == pytest.approx(expected, rel=1e-12)


def test_classes_per_batch_leaves_a_class_out_everywhere():
    output, target = random_output([[1, 1], [1, 1]]), random_target(2)
    target[1][target[1] == 2] = 1
    per_case, _ = modality_prototype_distillation(output, target)
    per_batch, _ = modality_prototype_distillation(output, target, classes_per_batch=True)
    torch.testing.assert_close(per_case[1], per_batch[1])
    assert not torch.isclose(per_case[0], per_batch[0]).any()


def test_no_class_common_to_all_cases_is_zero():
    output = random_output([[1, 1], [1, 1]])
    target = torch.zeros(2, 1, 6, 4)
    target[1] = 1
    losses, distances = modality_prototype_distillation(output, target, classes_per_batch=True)
    assert not losses.any()
    assert not distances.any()


def test_differences_of_either_sign_add_up_in_the_distance():
    apart = torch.tensor([[[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]])
    target = torch.tensor([[[0, 0, 1, 1]]])
    for student, teacher in ((apart, torch.ones(1, 2, 4)), (torch.ones(1, 2, 4), apart)):
        loss, distance = prototype_distillation(student, teacher, target, num_classes=2)
        torch.testing.assert_close(loss, torch.tensor([0.5]))
        torch.testing.assert_close(distance, torch.tensor([0.5]))
