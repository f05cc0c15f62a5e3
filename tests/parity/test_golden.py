"""Is the reference variant what the authors' code computes? Numbers from their functions, inputs rebuilt here."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from passion_monai.losses import (
    PreferenceWeights,
    SegmentationLoss,
    auxiliary_losses,
    modality_distillation,
    modality_prototype_distillation,
    prototype_cross_entropy,
    segmentation_loss,
)
from passion_monai.methods import Passion
from passion_monai.networks.contract import Decoded, TrainingOutput, students

GOLDEN = json.loads((Path(__file__).parent / "authors.json").read_text())
SCALES = {"rfnet": (1, 2, 4, 8), "mmformer": (2, 4, 8, 16), "m2ftrans": (1, 2, 4, 8, 16)}
SIZE, CLASSES, CHANNELS, MODALITIES = 16, 4, 8, 4
RATES = [1 - n / GOLDEN["samples"] for n in GOLDEN["samples_with_modality"]]
DISTILLATION = {"level_decay": 0.5, "upsample": True, "floor": 0.005, "class_mean": True, "temperature_squared": True}
ALONE = "single_modality_teacher_equals_student"
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}

every_case = pytest.mark.parametrize("golden", GOLDEN["cases"], ids=lambda golden: golden["id"])


def draw(golden):
    """Target, teacher and the four students of all cases: noise around the teacher, wider for each next modality."""
    random, batch = np.random.RandomState(golden["seed"]), len(golden["presence"])
    labels = random.randint(0, CLASSES, size=(batch, SIZE, SIZE, SIZE))
    for case, absent in golden["absent"]:
        labels[case][labels[case] == absent] = 0
    shapes = [(CLASSES, SIZE), (CHANNELS, SIZE)] + [(CLASSES, SIZE // s) for s in SCALES[golden["heads"]]]

    def noise(shape):
        return random.standard_normal((batch, shape[0], *3 * shape[1:]))

    teacher = [noise(shape) * (1.0 if i == 1 else 3.0) for i, shape in enumerate(shapes)]
    sets = [[t + (0.5 + 0.5 * m) * noise(s) for t, s in zip(teacher, shapes, strict=True)] for m in range(MODALITIES)]
    if golden["id"] == ALONE:
        sets = [teacher] * MODALITIES
    return torch.from_numpy(labels)[:, None], decoded(teacher), [decoded(arrays) for arrays in sets]


def decoded(arrays):
    logits, features, *deep = (torch.tensor(a, dtype=torch.float32, requires_grad=True) for a in arrays)
    return Decoded(logits, deep, features)


def at(prediction, rows):
    if not rows.any():
        return None
    return Decoded(prediction.logits[rows], [z[rows] for z in prediction.deep_logits], prediction.features[rows])


def training_output(teacher, students_of_all, presence):
    presence = torch.tensor(presence, dtype=torch.bool)
    rows = students(presence, presence)
    unimodal = [at(s, rows[:, m]) for m, s in enumerate(students_of_all)]
    auxiliary = [s.logits[presence[:, m]] if presence[:, m].any() else None for m, s in enumerate(students_of_all)]
    return TrainingOutput(teacher, unimodal, auxiliary, presence, presence)


def complete_output(teacher, students_of_all):
    return training_output(teacher, students_of_all, np.ones((len(teacher.logits), MODALITIES)))


@every_case
def test_segmentation(golden):
    target, teacher, _ = draw(golden)
    output = segmentation_loss(teacher.logits, target, floor=0.005)
    total = SegmentationLoss("reference")(teacher, target)
    torch.testing.assert_close(output, torch.tensor(golden["output_loss"]), **TOLERANCE)
    torch.testing.assert_close(total - output, torch.tensor(golden["deep_loss"]), **TOLERANCE)


@every_case
def test_auxiliary_supervision(golden):
    target, teacher, all_students = draw(golden)
    losses = auxiliary_losses(complete_output(teacher, all_students), target, floor=0.005)
    torch.testing.assert_close(losses, torch.tensor(golden["auxiliary"]), **TOLERANCE)


@every_case
def test_pixel_distillation_and_its_gradients(golden):
    _, teacher, all_students = draw(golden)
    values = modality_distillation(complete_output(teacher, all_students), **DISTILLATION)
    torch.testing.assert_close(values, torch.tensor(golden["pixel"]), **TOLERANCE)
    if golden["id"] == ALONE:
        return
    values.sum().backward()
    for student, expected in zip(all_students, golden["pixel_gradient"], strict=True):
        for z, norm in zip((student.logits, *student.deep_logits), expected, strict=True):
            # The authors' float32 sum for a level of one voxel is off by 3e-4; in float64 it is what we find.
            assert z.grad.norm().item() == pytest.approx(norm, rel=1e-4 if z.shape[2] > 1 else 5e-4)
    assert teacher.logits.grad is None


@every_case
def test_prototype_distillation_and_its_gradients(golden):
    target, teacher, all_students = draw(golden)
    output = complete_output(teacher, all_students)
    losses, distances = modality_prototype_distillation(output, target, classes_per_batch=True)
    torch.testing.assert_close(losses, torch.tensor(golden["proto"]), **TOLERANCE)
    torch.testing.assert_close(distances, torch.tensor(golden["distance"]), **TOLERANCE)
    losses.sum().backward()
    found = [student.features.grad.norm().item() for student in all_students]
    assert found == pytest.approx(golden["proto_gradient"], rel=1e-4, abs=1e-6)
    assert teacher.features.grad is None


# Left out: the batch in which one case lacks a class. The authors drop that class in all cases, we only in that one.
@pytest.mark.parametrize("golden", [g for g in GOLDEN["cases"] if "in_second" not in g["id"]], ids=lambda g: g["id"])
def test_prototype_cross_entropy(golden):
    target, _, all_students = draw(golden)
    for m, student in enumerate(all_students):
        found = prototype_cross_entropy(student.features, target, CLASSES)
        assert found.cross_entropy.mean().item() == pytest.approx(golden["prototype_cross_entropy"][m], rel=1e-5)
        assert found.score.mean().item() == pytest.approx(golden["prototype_score"][m], rel=1e-5)


@pytest.mark.parametrize("betas", GOLDEN["betas"])
@every_case
def test_whole_step(golden, betas):
    """The authors sum over the batch, we take the mean."""
    target, teacher, all_students = draw(golden)
    output, batch = training_output(teacher, all_students, golden["presence"]), len(target)
    passion = Passion(MODALITIES, RATES, variant="reference")
    passion.weights.beta.copy_(torch.tensor(GOLDEN["betas"][betas]))
    expected = golden["steps"][betas]
    terms = {name: batch * term.item() for name, term in passion.terms(output, target).items()}
    total = batch * SegmentationLoss("reference")(teacher, target).mean().item() + sum(terms.values())
    assert terms["pixel"] == pytest.approx(0.5 * expected["pixel"], rel=1e-5)
    assert terms["proto"] == pytest.approx(0.1 * expected["proto"], rel=1e-5)
    assert terms["auxiliary"] == pytest.approx(expected["auxiliary"], rel=1e-5)
    assert total == pytest.approx(expected["total"], rel=1e-5)


@pytest.mark.parametrize("golden", GOLDEN["beta_trajectories"], ids=lambda golden: golden["name"])
def test_beta_over_300_epochs(golden):
    weights = Passion(MODALITIES, RATES, variant="reference").weights
    distance, everything = torch.tensor([golden["distance"]]), torch.ones(1, MODALITIES, dtype=torch.bool)
    found = {}
    for epoch in range(300):
        weights.observe(distance, everything)
        weights.end_epoch()
        found[str(epoch)] = {"step_size": weights.step_size.item(), "beta": weights.beta.tolist()}
    for epoch, expected in golden["epochs"].items():
        assert found[epoch]["step_size"] == pytest.approx(expected["step_size"], rel=1e-6)
        assert found[epoch]["beta"] == pytest.approx(expected["beta"], rel=1e-5)


@pytest.mark.parametrize("golden", GOLDEN["beta_trajectories"], ids=lambda golden: golden["name"])
def test_paper_beta_over_300_epochs(golden):
    """The printed rule, where our lower limit does not bind."""
    weights = PreferenceWeights([1 / (1 - rate) for rate in RATES])
    for _ in range(300):
        weights.observe(torch.tensor([golden["distance"]]), torch.ones(1, MODALITIES, dtype=torch.bool))
        weights.end_epoch()
    expected = np.maximum(golden["paper_after_300"], 0.01)
    np.testing.assert_allclose(weights.beta, expected, rtol=1e-4)
