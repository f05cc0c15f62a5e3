import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from passion_monai.losses import modality_distillation, pixel_distillation
from tests.losses.builders import case_of, random_output


@pytest.mark.parametrize("direction", ["teacher_student", "student_teacher"])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("size", [(5,), (3, 2), (2, 3, 2)])
def test_matches_torch_kl_div(direction, temperature, size):
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, *size), torch.randn(2, 3, *size)
    first, second = (teacher, student) if direction == "teacher_student" else (student, teacher)
    pointwise = torch.nn.functional.kl_div(
        (second / temperature).log_softmax(1), (first / temperature).log_softmax(1), reduction="none", log_target=True
    )
    expected = pointwise.sum(dim=1).flatten(1).mean(dim=1)
    torch.testing.assert_close(pixel_distillation(student, teacher, temperature, direction=direction), expected)


def test_class_mean_divides_by_the_number_of_classes():
    student, teacher = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    torch.testing.assert_close(
        5 * pixel_distillation(student, teacher, class_mean=True), pixel_distillation(student, teacher)
    )


def test_the_gradient_of_a_small_gap_does_not_depend_on_the_temperature_once_it_is_squared():
    torch.manual_seed(0)
    teacher = 1e-3 * torch.randn(1, 4, 6, dtype=torch.float64)
    student = torch.zeros_like(teacher, requires_grad=True)
    cold, hot = (
        torch.autograd.grad(pixel_distillation(student, teacher, t, temperature_squared=True).sum(), student)[0]
        for t in (1.0, 8.0)
    )
    torch.testing.assert_close(cold, hot, rtol=0.01, atol=0)
    torch.testing.assert_close(
        pixel_distillation(student, teacher, 8.0, temperature_squared=True),
        64 * pixel_distillation(student, teacher, 8.0),
    )


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(0, 10_000), st.floats(0.5, 8))
def test_cases_do_not_mix_and_the_divergence_is_not_negative(cases, seed, temperature):
    torch.manual_seed(seed)
    student, teacher = torch.randn(cases, 3, 4), torch.randn(cases, 3, 4)
    together = pixel_distillation(student, teacher, temperature)
    alone = [pixel_distillation(student[b : b + 1], teacher[b : b + 1], temperature) for b in range(cases)]
    torch.testing.assert_close(together, torch.cat(alone))
    assert (together >= 0).all()


@pytest.mark.parametrize("direction", ["teacher_student", "student_teacher"])
def test_the_teacher_gets_no_gradient(direction):
    student, teacher = torch.randn(1, 2, 4, requires_grad=True), torch.randn(1, 2, 4, requires_grad=True)
    pixel_distillation(student, teacher, direction=direction).sum().backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


def test_small_divergences_survive_autocast():
    torch.manual_seed(0)
    teacher = torch.randn(1, 4, 16, 16)
    student = teacher + 0.01 * torch.randn_like(teacher)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        divergence = pixel_distillation(student, teacher)
    assert divergence.dtype == torch.float32
    assert torch.equal(divergence, pixel_distillation(student, teacher))
    assert divergence > 0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"temperature": 0}, "temperature must be positive, got 0"),
        ({"direction": "both"}, "direction must be one of teacher_student, student_teacher, got 'both'"),
    ],
)
def test_bad_options_are_named(kwargs, message):
    z = torch.zeros(1, 2, 3)
    with pytest.raises(ValueError, match=message):
        pixel_distillation(z, z, **kwargs)
    with pytest.raises(ValueError, match=message):
        modality_distillation(random_output([[1, 1]]), **kwargs)


def test_shapes_are_named():
    with pytest.raises(ValueError, match=r"got \(1, 2, 3\) and \(1, 2, 4\)"):
        pixel_distillation(torch.zeros(1, 2, 3), torch.zeros(1, 2, 4))


@pytest.mark.parametrize("upsample", [False, True])
def test_modality_distillation_sums_the_levels_of_every_student(upsample):
    output = random_output([[1, 1, 0], [0, 1, 0], [1, 0, 1]], presence=[[1, 0, 0], [0, 1, 0], [1, 0, 1]])
    size = output.fused.logits.shape[2:] if upsample else None
    values = modality_distillation(output, level_decay=0.5, upsample=upsample)
    teacher = [output.fused.logits, *output.fused.deep_logits]
    for b in range(3):
        for m in range(3):
            expected, row = 0, case_of(output, m, b)
            if row is not None:
                student = [output.unimodal[m].logits, *output.unimodal[m].deep_logits]
                for level, (s, t) in enumerate(zip(student, teacher, strict=True)):
                    expected += 0.5**level * pixel_distillation(s[row : row + 1], t[b : b + 1], size=size).item()
            assert values[b, m].item() == pytest.approx(expected, rel=1e-12)
    assert values[0, 0] == values[1, 1] == 0  # the teacher saw exactly that modality
    assert values[0, 1] > 0


def test_a_batch_without_students_is_zero():
    output = random_output([[1, 0], [0, 1]])
    assert modality_distillation(output).tolist() == [[0, 0], [0, 0]]


def test_unimodal_must_be_filled():
    with pytest.raises(ValueError, match=r"output\.unimodal must hold one entry"):
        modality_distillation(random_output([[1, 1]])._replace(unimodal=[]))
