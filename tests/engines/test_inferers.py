import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import CenterSpatialCrop, ResizeWithPadOrCrop

from passion_monai.data import all_subsets
from passion_monai.engines import AvailableInferer, SubsetInferer
from passion_monai.engines.inferers import _centre, _foreground, best_class
from tests.helpers.mean_fusion import MeanFusion


@pytest.fixture
def network():
    torch.manual_seed(0)
    return MeanFusion(2, 3, 4).eval()


@pytest.fixture
def volume():
    x = torch.zeros(2, 3, 40, 32)
    x[:, :, 4:36, 3:30] = torch.randn(2, 3, 32, 27, generator=torch.Generator().manual_seed(1))
    x[1, 2] = float("nan")
    return x


@pytest.mark.parametrize("sw_batch_size", [1, 2, 5])
def test_batches_of_windows_and_cases_do_not_change_the_result(network, volume, sw_batch_size):
    with torch.no_grad():
        whole = AvailableInferer((16, 16), sw_batch_size=sw_batch_size)(volume, network)
        alone = [AvailableInferer((16, 16))(volume[b : b + 1], network) for b in range(2)]
    torch.testing.assert_close(whole, torch.cat(alone), atol=1e-6, rtol=0)
    torch.testing.assert_close(whole.sum(dim=1), torch.ones(2, 40, 32))


def test_one_window_equals_the_network(network):
    x = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        expected = network(x).softmax(dim=1)
        torch.testing.assert_close(AvailableInferer((16, 16))(x, network), expected, atol=1e-6, rtol=0)


def test_outside_of_the_foreground_is_background(network, volume):
    with torch.no_grad():
        result = AvailableInferer((16, 16))(volume, network)
    assert (result[:, 0, :4] == 1).all()
    assert (result[:, 1:, :, 30:] == 0).all()


@pytest.mark.parametrize("size", [(9, 11), (40, 7)])
def test_a_volume_smaller_than_the_window_keeps_its_size(network, size):
    x = torch.randn(1, 3, *size)
    x[:, 1] = float("nan")
    with torch.no_grad():
        result = AvailableInferer((16, 16))(x, network)
    assert result.shape == (1, 4, *size)
    assert result.isfinite().all()


@pytest.mark.parametrize("subsets_per_pass", [None, 1, 3])
def test_every_subset_equals_a_run_of_its_own(network, volume, subsets_per_pass):
    x = volume[:1]
    with torch.no_grad():
        labels = SubsetInferer((16, 16), subsets_per_pass=subsets_per_pass, foreground=False)(x, network)
        for row, got in zip(all_subsets(3), labels[0], strict=True):
            masked = x.masked_fill(~row.view(1, 3, 1, 1), float("nan"))
            expected = AvailableInferer((16, 16), foreground=False)(masked, network).argmax(dim=1)[0]
            assert torch.equal(got.long(), expected)


def test_each_window_is_encoded_once(network, volume):
    calls = []
    encode = network.encode
    network.encode = lambda x, available: calls.append(len(x)) or encode(x, available)
    with torch.no_grad():
        SubsetInferer((16, 16), overlap=0.0, foreground=False)(volume[:1], network)
    assert len(calls) == 3 * 2


@pytest.mark.parametrize("inferer", [AvailableInferer((16, 16)), SubsetInferer((16, 16))])
def test_metadata_stays_outside_of_the_network(network, volume, inferer):
    seen = []  # a MetaTensor copies its metadata at every step: it took half of the time of an evaluation
    network.encode = lambda x, presence, encode=network.encode: seen.extend([x, presence]) or encode(x, presence)
    affine = torch.diag(torch.tensor([2.0, 2.0, 1.0]))
    with torch.no_grad():
        result = inferer(MetaTensor(volume[:1], affine=affine), network)
        expected = inferer(volume[:1], network)
    assert {type(tensor) for tensor in seen} == {torch.Tensor}
    assert (type(result), type(expected)) == (MetaTensor, torch.Tensor)
    torch.testing.assert_close(result.affine, affine, check_dtype=False)
    torch.testing.assert_close(result.as_tensor(), expected, rtol=0, atol=0)


@pytest.mark.parametrize("inferer", [AvailableInferer((17, 16)), SubsetInferer((17, 16))])
def test_a_window_the_network_cannot_take_is_named(network, volume, inferer):
    with pytest.raises(ValueError, match=r"spatial size .*17.* is not divisible by 2"):
        inferer(volume[:1], network)


def test_impossible_subsets_are_left_empty(network, volume):
    with torch.no_grad():
        labels = SubsetInferer((16, 16))(volume, network)
    impossible = all_subsets(3)[:, 2]
    assert (labels[1, impossible] == 0).all()
    assert labels[1, ~impossible].any()
    assert labels[0, impossible].any()


def test_a_case_without_any_modality_is_an_error(network):
    with pytest.raises(ValueError, match="no modality at all"):
        AvailableInferer((16, 16))(torch.full((1, 3, 16, 16), float("nan")), network)


def test_subsets_per_pass_is_checked():
    with pytest.raises(ValueError, match="subsets_per_pass must be at least 1 or None, got 0"):
        SubsetInferer((16, 16), subsets_per_pass=0)


class TestVolumesOfA2DNetwork:
    @pytest.fixture
    def slices(self):
        x = torch.randn(2, 3, 24, 20, 5, generator=torch.Generator().manual_seed(2))
        x[0, 1] = float("nan")
        x[0, 0, ..., 2] = 0  # an empty slice of a modality that is there
        return x

    @pytest.mark.parametrize("sw_batch_size", [1, 4])
    def test_every_slice_is_predicted_as_if_it_were_alone(self, network, slices, sw_batch_size):
        inferer = AvailableInferer((16, 16), sw_batch_size=sw_batch_size, foreground=False)
        with torch.no_grad():
            result = inferer(slices, network)
            alone = [inferer(slices[..., k], network) for k in range(5)]
        torch.testing.assert_close(result, torch.stack(alone, dim=-1), atol=1e-6, rtol=0)

    def test_every_subset_of_every_slice(self, network, slices):
        inferer = SubsetInferer((16, 16), foreground=False, subsets_per_pass=2)
        with torch.no_grad():
            result = inferer(slices, network)
            alone = [inferer(slices[..., k], network) for k in range(5)]
        assert result.shape == (2, 7, 24, 20, 5)
        assert torch.equal(result, torch.stack(alone, dim=-1))

    def test_a_single_subset(self, network, slices):
        row = torch.tensor([[True, False, True]])
        with torch.no_grad():
            result = SubsetInferer((16, 16), subsets=row)(slices, network)
        assert result.shape == (2, 1, 24, 20, 5)
        assert result.any()


class TestCentre:
    @pytest.mark.parametrize("size", [(24, 20, 3), (25, 19, 3), (12, 30, 2)])
    def test_it_is_what_a_centre_crop_shows(self, network, size):
        x = torch.randn(1, 3, *size)
        inferer = AvailableInferer((16, 16), centre=True)
        crop, resize = CenterSpatialCrop((16, 16, -1)), ResizeWithPadOrCrop(size)
        with torch.no_grad():
            result = inferer(x, network)
            expected = resize(AvailableInferer((16, 16), foreground=False)(crop(x[0])[None], network)[0, 1:])
        torch.testing.assert_close(result[0, 1:], torch.as_tensor(expected), atol=1e-6, rtol=0)

    @pytest.mark.parametrize("size", [23, 24, 25])
    @pytest.mark.parametrize("window", [14, 15, 16])
    def test_it_is_where_monai_puts_it(self, size, window):
        kept = CenterSpatialCrop((window,))(torch.arange(size)[None])[0]
        assert torch.equal(torch.arange(size)[_centre((size,), (window,))[0]], torch.as_tensor(kept))

    def test_the_rest_is_background(self, network):
        with torch.no_grad():
            result = AvailableInferer((16, 16), centre=True)(torch.randn(1, 3, 24, 20), network)
        assert (result[:, 0, :4] == 1).all()
        assert (result[:, 1:, :, 18:] == 0).all()
        torch.testing.assert_close(result.sum(dim=1), torch.ones(1, 24, 20))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("inferer", [AvailableInferer([16, 16]), SubsetInferer([16, 16])])
def test_a_prediction_that_is_no_number_is_an_error(inferer, value):
    network = MeanFusion(2, 3, 3).eval()
    x = torch.rand(1, 3, 24, 20)
    with torch.no_grad():
        inferer(x, network)
        next(p for name, p in network.named_parameters() if name.endswith("bias")).fill_(value)
        with pytest.raises(ValueError, match="the network predicts values that are no finite numbers"):
            inferer(x, network)


def test_an_image_that_is_no_number_is_named():
    network = MeanFusion(2, 3, 3).eval()
    x = torch.rand(1, 3, 24, 20)
    x[0, 1, 5, 5] = torch.nan
    with torch.no_grad(), pytest.raises(ValueError, match="the images hold voxels that are NaN or infinite"):
        AvailableInferer([16, 16])(x, network)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_best_class_is_argmaxs_ties_and_nan_included(dtype):
    generator = torch.Generator().manual_seed(0)
    few = torch.randint(0, 3, (5, 9, 8, 7), generator=generator).to(dtype)  # nearly every voxel has a tie
    few[2, 0] = few[4, 0] = float("nan")
    few[:, 1] = float("-inf")
    assert torch.equal(best_class(few), few.argmax(dim=0))
    assert torch.equal(best_class(few.transpose(1, 3)), few.transpose(1, 3).argmax(dim=0))


def test_the_foreground_is_the_box_of_any_image():
    x = torch.zeros(1, 2, 7, 6, 5)
    assert _foreground(x) == [slice(None)] * 3
    x[0, 0, 2, 1, 0] = x[0, 1, 4, 3, 0] = -1.0
    assert _foreground(x) == [slice(2, 5), slice(1, 4), slice(0, 1)]
