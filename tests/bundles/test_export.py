"""Exported models: equal to the network for every subset, or no file at all."""

import pytest
import torch
from monai.data import load_net_with_metadata
from monai.networks.nets import SwinUNETR

from passion_monai import cli
from passion_monai.networks import MonaiSegmenter, RFNet
from passion_monai.sharing.formats import FORMATS, export_model, largest_difference
from passion_monai.utils.files import NotWrittenError
from tests.helpers.bundles import copy_bundles
from tests.helpers.limits import largest_file
from tests.helpers.mean_fusion import MeanFusion


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return MeanFusion(spatial_dims=2, num_modalities=3, num_classes=3)


def need(kind):
    for package in ("onnxscript", "onnxruntime") if kind == "onnx" else ():
        pytest.importorskip(package)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_exported_model_equals_the_network_in_a_batch_of_other_size(network, tmp_path, kind):
    need(kind)
    path = tmp_path / f"model.{kind}"
    assert export_model(network, path, kind, [8, 12], {"name": "three"}) < 1e-5
    exported = FORMATS[kind][1](path)
    x = torch.rand(3, 3, 8, 12)
    x[0, 1:] = torch.nan
    x[2, 0] = torch.nan
    with torch.no_grad():
        torch.testing.assert_close(exported(x), network.eval()(x), atol=1e-5, rtol=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_full_disk_is_an_error_in_words_and_not_the_end_of_the_process(network, tmp_path, kind):
    need(kind)
    path = tmp_path / f"model.{kind}"
    path.write_bytes(b"old")
    with largest_file(1000), pytest.raises(NotWrittenError, match=r"model\..* cannot be written: the file is larger"):
        export_model(network, path, kind, [8, 12])
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(path.name, b"old")]


def test_torchscript_takes_any_size_and_carries_its_metadata(network, tmp_path):
    export_model(network, tmp_path / "model.ts", metadata={"name": "three", "version": "0.1"})
    script, metadata, _ = load_net_with_metadata(str(tmp_path / "model.ts"))
    assert metadata["name"] == "three"
    assert largest_difference(network, script, [20, 6]) < 1e-6


def test_a_network_in_training_mode_is_left_as_it_is(network, tmp_path):
    network.train()
    export_model(network, tmp_path / "model.ts")
    assert network.training


def test_a_difference_is_noticed(network, tmp_path):
    other = MeanFusion(spatial_dims=2, num_modalities=3, num_classes=3)
    assert largest_difference(network, other, [8, 8]) > 1e-2
    with pytest.raises(ValueError, match=r"differs from the network by .* is not written"):
        export_model(network, tmp_path / "model.ts", tolerance=-1.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "window", "message"),
    [
        ("onx", None, r"unknown --format 'onx': did you mean 'onnx'"),
        ("torch_export", [7, 8], r"pad to \(8, 8\)"),
        ("torch_export", [8, 8, 8], r"2 spatial axes"),
    ],
)
def test_bad_requests(network, tmp_path, kind, window, message):
    with pytest.raises(ValueError, match=message):
        export_model(network, tmp_path / "model", kind, window)
    assert not list(tmp_path.iterdir())


def test_a_network_that_cannot_be_scripted_is_answered_with_another_format(tmp_path):
    swin = SwinUNETR(1, 3, spatial_dims=2, feature_size=12, depths=(1,) * 4, num_heads=(1,) * 4, window_size=2)
    with pytest.raises(ValueError, match=r"cannot be written as TorchScript .* choose --format onnx or torch_export"):
        export_model(MonaiSegmenter(swin, 3), tmp_path / "model.ts")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_onnx_of_a_published_backbone_in_3d(tmp_path):
    need("onnx")
    torch.manual_seed(0)
    network = RFNet(spatial_dims=3, num_modalities=2, num_classes=3, channels=(2, 3, 4), gate_dim=8)
    assert export_model(network, tmp_path / "model.onnx", "onnx") < 1e-4


@pytest.mark.slow
def test_the_command_exports_a_trained_bundle(trained, tmp_path, capsys):
    bundle = trained[0] / "bundles" / "brats_passion"
    arguments = ["export", "--bundle", str(bundle), "-o", str(tmp_path / "model.ts")]
    cli.main(arguments)
    assert "equal to the network for all 15 subsets" in capsys.readouterr().out
    _, metadata, _ = load_net_with_metadata(str(tmp_path / "model.ts"))
    assert metadata["name"] == "brats_passion"
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert "replace it with --overwrite" in capsys.readouterr().err


def test_the_command_needs_a_model(tmp_path, capsys):
    bundle = copy_bundles(tmp_path) / "bundles" / "myops_passion"
    with pytest.raises(SystemExit):
        cli.main(["export", "--bundle", str(bundle), "-o", str(tmp_path / "model.ts")])
    assert "has no model" in capsys.readouterr().err
    assert not (tmp_path / "model.ts").exists()
