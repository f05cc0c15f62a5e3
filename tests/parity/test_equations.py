"""Is it the paper? One test per equation, against the loops of `book`, in float64."""

import numpy as np
import pytest
import torch

from passion_monai.losses import (
    PreferenceWeights,
    SegmentationLoss,
    class_prototypes,
    modality_distillation,
    modality_prototype_distillation,
    prototype_distillation,
    relative_preference,
    segmentation_loss,
    similarity_maps,
)
from passion_monai.methods import Baseline, Passion
from tests.losses.builders import SIZE, case_of, random_output, random_target
from tests.parity import book

AVAILABLE = [[1, 1, 1], [1, 0, 1], [0, 1, 0]]
RATES = [0.2, 0.5, 0.75]
CLOSE = pytest.approx


def numpy(tensor):
    return tensor.detach().numpy()


@pytest.fixture
def output():
    return random_output(AVAILABLE)


@pytest.fixture
def target():
    labels = random_target(len(AVAILABLE))
    labels[1][labels[1] == 2] = 0  # the second case lacks a class
    return labels


def pairs(output):
    """(case, modality, row in the modality's entries) of every student."""
    found = [(b, m, case_of(output, m, b)) for b in range(3) for m in range(3)]
    return [(b, m, row) for b, m, row in found if row is not None]


def book_distances(output, target):
    distances = np.zeros((3, 3))
    for b, m, row in pairs(output):
        student, teacher = numpy(output.unimodal[m].features)[row], numpy(output.fused.features)[b]
        distances[b, m] = np.mean(book.map_differences(student, teacher, numpy(target)[b, 0]))
    return distances


def book_squares(output, target):
    squares = np.zeros((3, 3))
    for b, m, row in pairs(output):
        student, teacher = numpy(output.unimodal[m].features)[row], numpy(output.fused.features)[b]
        squares[b, m] = np.mean(np.square(book.map_differences(student, teacher, numpy(target)[b, 0])))
    return squares


def book_pixel(output, temperature=4.0):
    values = np.zeros((3, 3))
    teacher = [output.fused.logits, *output.fused.deep_logits]
    for b, m, row in pairs(output):
        student = [output.unimodal[m].logits, *output.unimodal[m].deep_logits]
        for s, t in zip(student, teacher, strict=True):
            values[b, m] += book.divergence(numpy(t)[b], numpy(s)[row], temperature)
    return values


def book_supervision(output, target):
    total = 0.0
    for b in range(3):
        for m in range(3):
            if AVAILABLE[b][m]:
                row = sum(AVAILABLE[i][m] for i in range(b))
                total += book.dice_and_cross_entropy(numpy(output.auxiliary[m])[row], numpy(target)[b, 0])
    return total / 3


def test_equation_1_segmentation_at_every_level(output, target):
    for b, value in enumerate(SegmentationLoss()(output.fused, target)):
        labels = numpy(target)[b, 0]
        levels = [book.upsample(numpy(z)[b], SIZE) for z in output.fused.deep_logits]
        expected = sum(book.dice_and_cross_entropy(z, labels) for z in (numpy(output.fused.logits)[b], *levels))
        assert value.item() == CLOSE(expected, rel=1e-9)


def test_equation_1_unimodal_supervision_of_complete_cases(target):
    output = random_output([[1, 1]] * 3)
    expected = 0.0
    for logits in output.auxiliary:
        expected += sum(book.dice_and_cross_entropy(numpy(logits)[b], numpy(target)[b, 0]) for b in range(3)) / 3
    assert Baseline(2).terms(output, target)["auxiliary"].item() == CLOSE(expected, rel=1e-9)


def test_equation_2_supervision_of_available_modalities(output, target):
    assert Baseline(3).terms(output, target)["auxiliary"].item() == CLOSE(book_supervision(output, target), rel=1e-9)


def test_equation_3_pixel_wise_distillation(output):
    np.testing.assert_allclose(numpy(modality_distillation(output)), book_pixel(output), rtol=1e-9)


def test_equation_3_in_the_printed_order(output):
    values = modality_distillation(output, temperature=2.0, direction="student_teacher")
    for b, m, row in pairs(output):
        student = [output.unimodal[m].logits, *output.unimodal[m].deep_logits]
        teacher = [output.fused.logits, *output.fused.deep_logits]
        expected = sum(book.divergence(numpy(s)[row], numpy(t)[b], 2.0) for s, t in zip(student, teacher, strict=True))
        assert values[b, m].item() == CLOSE(expected, rel=1e-9)


def test_equation_4_prototypes(output, target):
    found = numpy(class_prototypes(output.fused.features, target, 3))
    for b in range(3):
        for k in np.unique(numpy(target)[b]):
            expected = book.prototype(numpy(output.fused.features)[b], numpy(target)[b, 0], k)
            np.testing.assert_allclose(found[b, k], expected, rtol=1e-9)
    assert not found[1, 2].any()


@pytest.mark.parametrize("student", [True, False], ids=["equation_5_student", "equation_6_teacher"])
def test_similarity(output, target, student):
    features = output.unimodal[0].features if student else output.fused.features
    labels = target[:2] if student else target  # modality 0 is a student in the first two cases
    maps = similarity_maps(features, class_prototypes(features, labels, 3))
    for b in range(len(features)):
        for k in np.unique(numpy(labels)[b]):
            expected = book.similarity(numpy(features)[b], numpy(labels)[b, 0], k)
            assert maps[b, k].sum().item() == CLOSE(sum(expected.values()), rel=1e-9)
            assert all(maps[(b, k, *v)].item() == CLOSE(value, rel=1e-9) for v, value in expected.items())


def test_equation_7_distance_times_voxels_and_classes(output, target):
    student, teacher = output.unimodal[0].features, output.fused.features[:2]
    _, distance = prototype_distillation(student, teacher, target[:2], 3)
    for b in range(2):
        differences = book.map_differences(numpy(student)[b], numpy(teacher)[b], numpy(target)[b, 0])
        assert distance[b].item() * len(differences) == CLOSE(sum(differences), rel=1e-9)


def test_equation_8_loss_times_voxels_and_classes(output, target):
    student, teacher = output.unimodal[0].features, output.fused.features[:2]
    loss, _ = prototype_distillation(student, teacher, target[:2], 3)
    for b in range(2):
        differences = book.map_differences(numpy(student)[b], numpy(teacher)[b], numpy(target)[b, 0])
        assert loss[b].item() * len(differences) == CLOSE(sum(d**2 for d in differences), rel=1e-9)


def test_equations_9_and_10_relative_preference(output, target):
    distances = book_distances(output, target)
    found = relative_preference(torch.tensor(distances), output.available)
    for b in range(3):
        np.testing.assert_allclose(found[b], book.relative_preferences(distances[b], AVAILABLE[b]), atol=1e-12)


def test_equation_10_does_not_care_for_sums_or_means(output, target):
    _, distance = modality_prototype_distillation(output, target)
    sums = distance * SIZE[0] * SIZE[1] * 3
    torch.testing.assert_close(
        relative_preference(sums, output.available), relative_preference(distance, output.available)
    )


def test_equation_11_task_mask(output, target):
    distances, squares = book_distances(output, target), book_squares(output, target)
    expected = 0.0
    for b, m, _ in pairs(output):
        delta = book.relative_preferences(distances[b], AVAILABLE[b])[m] < 0
        expected += 0.1 * delta * squares[b, m] / 3
    terms = Passion(3, RATES, pixel=False).terms(output, target)
    assert expected > 0
    assert terms["proto"].item() == CLOSE(expected, rel=1e-6)


def test_equation_12_epoch_mean_over_the_cases_that_have_the_modality(target):
    passion = Passion(3, RATES)
    sums = np.zeros(3)
    for seed in range(3):
        output = random_output(AVAILABLE, seed=seed)
        passion.terms(output, target)
        distances = book_distances(output, target)
        sums += np.sum([book.relative_preferences(distances[b], AVAILABLE[b]) for b in range(3)], axis=0)
    expected = sums / (3 * np.sum(AVAILABLE, axis=0))
    np.testing.assert_allclose(passion.end_epoch()["relative_preference"], expected, atol=1e-6)


def test_equation_13_beta_over_300_epochs():
    torch.manual_seed(0)
    weights = PreferenceWeights([1 / (1 - rate) for rate in RATES])
    beta = [1 / (1 - rate) for rate in RATES]
    for _ in range(300):
        distance = torch.rand(1, 3) * torch.tensor([0.9, 1.0, 1.1])
        preference = book.relative_preferences(distance[0].double().tolist(), [1, 1, 1])
        beta = [b - 0.01 * rp for b, rp in zip(beta, preference, strict=True)]
        weights.observe(distance, torch.ones(1, 3, dtype=torch.bool))
        weights.end_epoch()
    assert min(beta) > 0.01  # the limit we add does not bind here
    np.testing.assert_allclose(weights.beta, beta, rtol=1e-5)


def test_equation_13_stays_positive_where_the_printed_rule_does_not():
    """Epoch distances (.08, .10, .06, .16) drive the printed beta of the third modality to -.0098 after 300 epochs."""
    weights = PreferenceWeights([219 / n for n in (90, 135, 184, 43)])
    for _ in range(300):
        weights.observe(torch.tensor([[0.08, 0.10, 0.06, 0.16]]), torch.ones(1, 4, dtype=torch.bool))
        weights.end_epoch()
    np.testing.assert_allclose(weights.beta, [1.8333333, 1.6222222, 0.01, 6.8930233], rtol=1e-4)


def test_equation_14_total(output, target):
    passion, segmentation = Passion(3, RATES), SegmentationLoss()
    total = segmentation(output.fused, target).mean() + sum(passion.terms(output, target).values())
    distances, squares, pixel = book_distances(output, target), book_squares(output, target), book_pixel(output)
    expected = 0.0
    for b in range(3):
        labels, fused = numpy(target)[b, 0], output.fused
        expected += book.dice_and_cross_entropy(numpy(fused.logits)[b], labels) / 3
        for z in fused.deep_logits:
            expected += book.dice_and_cross_entropy(book.upsample(numpy(z)[b], SIZE), labels) / 3
    for b, m, _ in pairs(output):
        delta = book.relative_preferences(distances[b], AVAILABLE[b])[m] < 0
        expected += (0.5 / (1 - RATES[m]) * pixel[b, m] + 0.1 * delta * squares[b, m]) / 3
    assert total.item() == CLOSE(expected, rel=1e-6)


def test_the_book_agrees_with_itself():
    """A student equal to its teacher has nothing to learn; a sure and right prediction costs nothing."""
    z, labels = numpy(random_output([[1, 1]]).fused.logits)[0], numpy(random_target(1))[0, 0]
    assert book.divergence(z, z, 4.0) == 0
    assert max(book.map_differences(z, z, labels)) == 0
    sure = torch.nn.functional.one_hot(torch.tensor(labels)).permute(2, 0, 1).double() * 50
    assert book.dice_and_cross_entropy(numpy(sure), labels) == CLOSE(0, abs=1e-6)
    assert segmentation_loss(sure[None], torch.tensor(labels)[None, None]).item() == CLOSE(0, abs=1e-6)
