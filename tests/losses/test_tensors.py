import pytest
import torch
from monai.data import MetaTensor

from passion_monai.losses._tensors import (
    check_filled,
    class_masks,
    full_precision,
    modality_values,
    resize,
    select_cases,
    settled,
)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_class_masks_take_any_label_dtype(dtype):
    masks = class_masks(torch.tensor([[[0, 1, 1]]], dtype=dtype), num_classes=2)
    assert masks.tolist() == [[[True, False, False], [False, True, True]]]


@pytest.mark.parametrize("label", [-1, 3, 1.5, float("nan")])
def test_a_strange_label_is_named(label):
    with pytest.raises(ValueError, match=rf"labels \[{label}.*num_classes=3 allows only 0 .. 2"):
        class_masks(torch.tensor([[[0, 1, label]]]), num_classes=3)


def test_labels_need_a_channel_axis():
    with pytest.raises(ValueError, match=r"\(B, 1, \*S\), got \(2, 3, 4\)"):
        class_masks(torch.zeros(2, 3, 4), num_classes=3)


def test_full_precision_keeps_float64_and_makes_subclasses_plain():
    @full_precision
    def same(x, factor):
        return x * factor

    assert same(torch.ones(1, dtype=torch.float64), 2).dtype == torch.float64
    assert same(torch.ones(1, dtype=torch.float16), factor=2).dtype == torch.float32
    assert type(same(x=MetaTensor(torch.ones(1)), factor=2)) is torch.Tensor


def test_resize_aligns_corners_and_leaves_equal_sizes_alone():
    x = torch.tensor([[[0.0, 2.0]]])
    assert resize(x, torch.Size([3])).tolist() == [[[0.0, 1.0, 2.0]]]
    assert resize(x, torch.Size([2])) is x


def test_selecting_all_cases_is_no_copy():
    x = torch.rand(2, 3)
    assert select_cases(x, torch.tensor([True, True])) is x
    assert torch.equal(select_cases(x, torch.tensor([False, True])), x[1:])


def test_modality_values_pass_gradients_to_their_case():
    values = torch.tensor([2.0, 3.0], requires_grad=True)
    rows = torch.tensor([[False, False], [False, True], [False, True]])
    placed = modality_values([None, values], rows, lambda prediction, cases: (prediction, -prediction), parts=2)
    placed[1, 2, 1].backward()
    assert placed.tolist() == [[[0, 0], [0, 2], [0, 3]], [[0, 0], [0, -2], [0, -3]]]
    assert values.grad.tolist() == [0, -1]


def test_an_unfilled_field_is_named():
    with pytest.raises(ValueError, match=r"output.unimodal .* 3 modalities, got 0.*'unimodal' is True"):
        check_filled([], "unimodal", torch.ones(1, 3))


def test_a_settled_gradient_is_scaled_before_it_is_rounded_to_half_precision():
    z = torch.full((1, 4), 1.0, dtype=torch.float16, requires_grad=True)
    (values,) = settled(lambda z: (1e-9 * z.sum(dim=1),), z)
    (values * 2.0**20).sum().backward()
    torch.testing.assert_close(z.grad.float(), torch.full((1, 4), 1e-9 * 2**20), rtol=1e-3, atol=0)


def test_what_is_settled_beside_the_value_gets_no_gradient():
    z = torch.tensor([[1.0, 2.0]], requires_grad=True)
    value, other = settled(lambda z: (z.square().sum(dim=1), z.detach().sum(dim=1)), z)
    assert value.requires_grad
    assert not other.requires_grad
    with torch.no_grad():
        assert not settled(lambda z: (z.sum(dim=1),), z)[0].requires_grad


@pytest.mark.parametrize("size", [(6, 7, 5), (6, 4), (9,)])
def test_resize_is_linear_interpolation_with_aligned_corners(size):
    x = torch.randn(2, 3, *(4, 3, 5)[: len(size)], dtype=torch.float64)
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(size)]
    expected = torch.nn.functional.interpolate(x, size, mode=mode, align_corners=True)
    torch.testing.assert_close(resize(x, torch.Size(size)), expected)
