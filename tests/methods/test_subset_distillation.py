"""Which subsets are practised, what their students learn, and what is said about options that make no sense."""

import logging
import re
from collections import Counter

import pytest
import torch

from passion_monai.data import all_subsets
from passion_monai.engines import TrainingView
from passion_monai.losses import SegmentationLoss, pixel_distillation
from passion_monai.methods import Baseline, SubsetDistillation
from tests.helpers.mean_fusion import MeanFusion
from tests.networks.test_contract import BACKBONES

AVAILABLE = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [1, 1, 1]], dtype=torch.bool)


def students_of(method, available):
    """Case -> the subsets shown of it, as sets of modalities."""
    found = [[] for _ in available]
    for cases, shown in method.draw_subsets(available):
        assert len(cases) == len(shown) > 0
        for case, row in zip(cases.tolist(), shown, strict=True):
            found[case].append(frozenset(row.nonzero().flatten().tolist()))
    return found


def trained(method, size=(8, 8), available=AVAILABLE, seed=3):
    torch.manual_seed(seed)
    view = TrainingView(MeanFusion(len(size), available.shape[1], 3), method)
    x = torch.randn(len(available), available.shape[1], *size)
    target = torch.randint(0, 3, (len(available), 1, *size))
    return view, view(x, available), x, target


class TestDrawing:
    @pytest.mark.parametrize("choice", ["least_practised", "uniform", "size_first"])
    @pytest.mark.parametrize("num_students", [1, 2, 3, 6])
    def test_students_see_different_proper_subsets(self, choice, num_students):
        torch.manual_seed(0)
        method = SubsetDistillation(3, 1, num_students=num_students, choice=choice)
        for _ in range(20):
            for subsets, row in zip(students_of(method, AVAILABLE), AVAILABLE, strict=True):
                has = frozenset(row.nonzero().flatten().tolist())
                assert len(set(subsets)) == len(subsets) == min(num_students, 2 ** len(has) - 2)
                assert all(subset and subset < has for subset in subsets)

    def test_what_was_practised_least_comes_first(self):
        torch.manual_seed(0)
        method = SubsetDistillation(3, 1, num_students=1)
        full = AVAILABLE[:1]
        assert len({students_of(method, full)[0][0] for _ in range(6)}) == 6
        counts = Counter(students_of(method, full)[0][0] for _ in range(60))
        assert set(counts.values()) == {10}

    def test_what_the_teacher_sees_counts_as_practised(self):
        torch.manual_seed(0)
        method = SubsetDistillation(2, 1, num_students=1)
        one, both = torch.tensor([[True, False]]), torch.tensor([[True, True]])
        for _ in range(5):
            assert students_of(method, one) == [[]]
        assert [students_of(method, both)[0][0] for _ in range(5)] == [frozenset({1})] * 5

    def test_counts_are_kept_over_epochs(self):
        torch.manual_seed(0)
        method = SubsetDistillation(3, 2, num_students=2)
        students_of(method, AVAILABLE)
        drawn = method.recent.clone()
        assert int(drawn.sum()) == 4 + 2 * 3
        method.end_epoch()
        assert torch.equal(method.practised, drawn)
        assert not method.recent.any()

    def test_all_sizes_are_equally_likely_when_the_size_comes_first(self):
        torch.manual_seed(0)
        method = SubsetDistillation(4, 1, num_students=1, choice="size_first")
        sizes = Counter(len(students_of(method, torch.ones(1, 4).bool())[0][0]) for _ in range(600))
        assert min(sizes[n] for n in (1, 2, 3)) > 150

    def test_single_modalities_alone(self):
        torch.manual_seed(0)
        method = SubsetDistillation(3, 1, num_students=6, choice="single")
        found = students_of(method, AVAILABLE)
        assert set(found[0]) == {frozenset({m}) for m in range(3)}
        assert [len(subsets) for subsets in found] == [3, 2, 0, 3]

    def test_the_counts_do_not_leave_the_host(self):
        method = SubsetDistillation(3, 1).to("meta", torch.float16)
        assert {buffer.device.type for buffer in method.buffers()} == {"cpu"}
        assert method.practised.dtype == torch.long

    def test_a_batch_of_single_modalities_has_no_students(self):
        method = SubsetDistillation(3, 1)
        _, output, _, target = trained(method, available=torch.eye(3).bool())
        assert list(output.subsets) == []
        assert all(float(term) == 0 for term in method.terms(output, target).values())


class TestView:
    @pytest.mark.parametrize("dims", [2, 3])
    @pytest.mark.parametrize("checkpoint", [False, True])
    def test_students_are_what_decoding_their_subset_gives(self, dims, checkpoint):
        method = SubsetDistillation(3, 1)
        view, output, x, _ = trained(method, (8,) * dims)
        view.checkpoint = checkpoint
        output = view(x, AVAILABLE)
        features = view.backbone.encode(x, AVAILABLE)
        torch.testing.assert_close(output.fused, view.backbone.decode(features, AVAILABLE))
        assert len(output.subsets) == 3
        for decoded, cases, presence in output.subsets:
            expected = view.backbone.decode([level[cases] for level in features], presence)
            torch.testing.assert_close(decoded, expected)
            assert (presence <= AVAILABLE[cases]).all()

    @pytest.mark.parametrize("dims", [2, 3])
    def test_recomputing_gives_the_same_gradient(self, dims):
        gradients = []
        for checkpoint in (False, True):
            method = SubsetDistillation(3, 1)
            view, _, x, target = trained(method, (8,) * dims)
            view.checkpoint = checkpoint
            torch.manual_seed(4)
            output = view(x, AVAILABLE)
            sum(method.terms(output, target).values()).backward()
            gradients.append([p.grad for p in view.parameters() if p.grad is not None])
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("name", [name for name in BACKBONES if name != "swin_unetr"])
    def test_every_backbone_in_3d(self, name):
        torch.manual_seed(0)
        backbone, method = BACKBONES[name](3, 3), SubsetDistillation(3, 1)
        size = [backbone.smallest, backbone.smallest, 2 * backbone.divisor]
        available = AVAILABLE[:2]
        output = TrainingView(backbone, method)(torch.randn(2, 3, *size), available)
        terms = method.terms(output, torch.zeros(2, 1, *size, dtype=torch.long))
        sum(terms.values()).backward()
        assert all(term.isfinite() and term > 0 for term in terms.values())

    def test_other_methods_get_no_subsets(self):
        _, output, *_ = trained(Baseline(3))
        assert list(output.subsets) == []


class TestTerms:
    def test_they_are_the_equation(self):
        method = SubsetDistillation(3, epochs=5, first_label_weight=0.2, last_label_weight=0.6)
        method.end_epoch()
        _, output, _, target = trained(method)
        loss, label, distillation = SegmentationLoss("reference"), [0.0] * 4, [0.0] * 4
        number = Counter(case for _, cases, _ in output.subsets for case in cases.tolist())
        for decoded, cases, _ in output.subsets:
            for n, case in enumerate(cases.tolist()):
                one = type(decoded)(
                    *[
                        [level[n : n + 1] for level in part] if isinstance(part, list) else part[n : n + 1]
                        for part in decoded
                    ]
                )
                label[case] += loss(one, target[case : case + 1]).item() / number[case]
                levels = zip(
                    [one.logits, *one.deep_logits], [output.fused.logits, *output.fused.deep_logits], strict=True
                )
                divergence = sum(pixel_distillation(s, t[case : case + 1]).item() for s, t in levels)
                distillation[case] += divergence / number[case]
        terms = method.terms(output, target)
        assert terms["label"].item() == pytest.approx(0.3 * sum(label) / 4, rel=1e-5)
        assert terms["distillation"].item() == pytest.approx(0.5 * sum(distillation) / 4, rel=1e-5)

    def test_the_label_counts_more_and_more(self):
        method, weights = SubsetDistillation(3, epochs=3), []
        for _ in range(4):
            weights.append(method.label_weight)
            method.end_epoch()
        assert weights == pytest.approx([0.05, 0.525, 1, 1])

    @pytest.mark.parametrize(
        ("options", "names"),
        [
            ({"distillation_weight": 0}, {"label"}),
            ({"first_label_weight": 0, "last_label_weight": 0}, {"distillation"}),
        ],
    )
    def test_a_term_without_weight_is_not_computed(self, options, names):
        method = SubsetDistillation(3, 1, **options)
        _, output, _, target = trained(method)
        assert set(method.terms(output, target)) == names

    def test_the_teacher_gets_no_gradient(self):
        method = SubsetDistillation(3, 1)
        _, output, _, target = trained(method)
        fused = output.fused.logits.detach().requires_grad_()
        output = output._replace(fused=output.fused._replace(logits=fused))
        sum(method.terms(output, target).values()).backward()
        assert fused.grad is None

    def test_the_students_task_loss_can_be_chosen(self):
        method = SubsetDistillation(3, 1, loss=SegmentationLoss("paper"))
        _, output, _, target = trained(method)
        paper = method.terms(output, target)["label"]
        method.loss = SegmentationLoss("reference")
        assert paper != method.terms(output, target)["label"]


class TestOneModality:
    def test_it_trains_as_the_baseline_and_says_so(self, caplog):
        with caplog.at_level(logging.WARNING):
            method = SubsetDistillation(1, 1, num_students=3)
        assert "num_modalities=1: a case has no proper subset, the baseline is trained" in caplog.text
        _, output, _, target = trained(method, available=torch.ones(2, 1).bool())
        expected = Baseline(1).terms(output, target)
        assert expected.keys() == method.terms(output, target).keys()
        assert torch.equal(expected["auxiliary"], method.terms(output, target)["auxiliary"])


class TestBadOptions:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"num_students": 0},
                "between 1 and 6, the number of proper subsets of 3 modalities",
            ),
            ({"num_students": 7}, "num_students must be .* between 1 and 6, .* got 7: leave it out for 3"),
            ({"num_students": 2.5}, "num_students must be a whole number .* got 2.5"),
            ({"num_modalities": 1, "num_students": 0}, "num_students must be a whole number .* got 0"),
            ({"first_label_weight": -0.1}, "first_label_weight must not be negative, got -0.1"),
            ({"distillation_weight": -1}, "distillation_weight must not be negative, got -1"),
            ({"last_label_weight": 0.01}, "last_label_weight must not be below first_label_weight=0.05, got 0.01"),
            ({"first_label_weight": 0, "last_label_weight": 0, "distillation_weight": 0}, "both 0"),
            ({"epochs": 0}, "epochs must be at least 1, .* got 0"),
            ({"temperature": 0}, "temperature must be positive, got 0"),
            ({"choice": "least"}, "choice must be one of least_practised, uniform, size_first, single, got 'least'"),
        ],
    )
    def test_are_named(self, options, message):
        with pytest.raises(ValueError, match=message) as caught:
            SubsetDistillation(**{"num_modalities": 3, "epochs": 2, **options})
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("num_modalities", [2, 3, 4])
    def test_as_many_students_as_there_are_subsets(self, num_modalities):
        most = len(all_subsets(num_modalities)) - 1
        assert SubsetDistillation(num_modalities, 1, num_students=most).num_students == most
        with pytest.raises(ValueError, match=re.escape(f"between 1 and {most},")):
            SubsetDistillation(num_modalities, 1, num_students=most + 1)

    def test_two_modalities_have_two_students(self):
        assert SubsetDistillation(2, 1).num_students == 2
