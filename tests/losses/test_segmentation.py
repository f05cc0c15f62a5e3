import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.losses import DiceLoss

from passion_monai.losses import SegmentationLoss, auxiliary_losses, segmentation_loss
from passion_monai.networks.contract import Decoded
from tests.losses.builders import random_decoded, random_output, random_target


@pytest.mark.parametrize("size", [(7,), (5, 4), (3, 4, 2)])
def test_matches_monai_dice_and_torch_cross_entropy(size):
    torch.manual_seed(0)
    logits, target = torch.randn(2, 3, *size), random_target(2, size=size)
    dice = DiceLoss(softmax=True, to_onehot_y=True, smooth_nr=0, smooth_dr=1e-7, reduction="none")
    expected = dice(logits, target).flatten(1).mean(dim=1)
    for b in range(2):
        weight = 1 - torch.bincount(target[b].flatten(), minlength=3) / target[b].numel()
        entropy = torch.nn.functional.cross_entropy(logits[b : b + 1], target[b], weight=weight, reduction="none")
        expected[b] += entropy.mean()
    torch.testing.assert_close(segmentation_loss(logits, target), expected)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(0, 10_000), st.sampled_from([0.0, 0.005]))
def test_cases_do_not_mix(cases, seed, floor):
    torch.manual_seed(seed)
    logits, target = torch.randn(cases, 3, 4, 4), torch.randint(0, 3, (cases, 1, 4, 4))
    alone = [segmentation_loss(logits[b : b + 1], target[b : b + 1], floor) for b in range(cases)]
    torch.testing.assert_close(segmentation_loss(logits, target, floor), torch.cat(alone))


def test_background_alone_is_finite():
    logits = torch.randn(1, 4, 5, 5, requires_grad=True)
    segmentation_loss(logits, torch.zeros(1, 1, 5, 5)).sum().backward()
    assert logits.grad.isfinite().all()
    assert logits.grad.abs().sum() > 0


def test_below_the_floor_the_cross_entropy_has_no_gradient():
    logits = torch.tensor([[[-20.0] * 4, [20.0] * 4]], requires_grad=True)
    target = torch.tensor([[[0, 0, 1, 1]]])
    assert segmentation_loss(logits, target, floor=0.005) < segmentation_loss(logits, target)
    segmentation_loss(logits, target, floor=0.005).sum().backward()
    assert logits.grad.abs().max() < 1e-6


def test_extreme_logits_stay_finite():
    logits = torch.tensor([[[-1e4, 1e4], [1e4, -1e4]]], requires_grad=True)
    loss = segmentation_loss(logits, torch.tensor([[[0, 1]]]))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert logits.grad.isfinite().all()


def test_float32_under_autocast():
    torch.manual_seed(0)
    logits, target = torch.randn(1, 3, 8, 8).bfloat16(), random_target(1, size=(8, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = SegmentationLoss()(Decoded(logits, [logits[..., ::2, ::2]], logits), target)
    expected = SegmentationLoss()(Decoded(logits.float(), [logits[..., ::2, ::2].float()], logits), target)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


def test_meta_tensors_come_back_plain():
    loss = segmentation_loss(MetaTensor(torch.zeros(1, 2, 3)), MetaTensor(torch.zeros(1, 1, 3)))
    assert type(loss) is torch.Tensor


def test_shapes_are_named():
    with pytest.raises(ValueError, match=r"got \(1, 2, 4, 4\) and \(1, 1, 4, 5\)"):
        segmentation_loss(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 5))


def test_a_raw_brats_label_is_named():
    with pytest.raises(ValueError, match=r"labels \[4\], but num_classes=4"):
        segmentation_loss(torch.zeros(1, 4, 2), torch.tensor([[[0, 4]]]))


@pytest.mark.parametrize(("variant", "weights"), [("paper", (1, 1, 1)), ("reference", (1, 0.5, 0.25))])
def test_levels_are_weighted(variant, weights):
    torch.manual_seed(0)
    decoded, target = random_decoded(2, deep=((6, 4), (6, 4))), random_target(2)
    floor = SegmentationLoss(variant).floor
    levels = [segmentation_loss(z, target, floor) for z in (decoded.logits, *decoded.deep_logits)]
    expected = sum(w * level for w, level in zip(weights, levels, strict=True))
    torch.testing.assert_close(SegmentationLoss(variant)(decoded, target), expected)


def test_no_deep_levels_is_the_loss_of_the_output():
    torch.manual_seed(0)
    decoded, target = random_decoded(2, deep=()), random_target(2)
    torch.testing.assert_close(SegmentationLoss()(decoded, target), segmentation_loss(decoded.logits, target))


def test_a_misspelt_option_is_named():
    with pytest.raises(TypeError, match="did you mean 'level_decay'"):
        SegmentationLoss(level_decai=0.5)


def test_auxiliary_losses_stand_at_their_case_and_modality():
    output, target = random_output([[1, 1, 0], [0, 1, 0]]), random_target(2)
    losses = auxiliary_losses(output, target)
    expected = torch.zeros(2, 3, dtype=torch.float64)
    expected[0, 0] = segmentation_loss(output.auxiliary[0], target[:1])
    expected[:, 1] = segmentation_loss(output.auxiliary[1], target)
    torch.testing.assert_close(losses, expected)


def test_auxiliary_losses_want_the_field_filled():
    output = random_output([[1, 1]])._replace(auxiliary=[])
    with pytest.raises(ValueError, match=r"output.auxiliary must hold one entry"):
        auxiliary_losses(output, random_target(1))
