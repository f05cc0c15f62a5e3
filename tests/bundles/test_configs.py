import json

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, load, verify_net_in_out

from tests.helpers.bundles import REPOSITORY

BUNDLES = sorted(path.name for path in (REPOSITORY / "bundles").iterdir() if (path / "configs").is_dir())
CONFIGS = {
    "train": (["train.json"], "train"),
    "evaluate": (["train.json", "evaluate.json"], "train"),
    "inference": (["inference.json"], "infer"),
}


def folder(bundle):
    return REPOSITORY / "bundles" / bundle / "configs"


def read(bundle, name):
    return json.loads((folder(bundle) / name).read_text())


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("bundle", BUNDLES)
def test_properties_that_tools_expect_are_there(bundle, name):
    files, kind = CONFIGS[name]
    paths = [str(folder(bundle) / f) for f in files]
    scans = {"cases": [{"case": "a"}]} if kind == "infer" else {}
    workflow = ConfigWorkflow(paths, workflow_type=kind, logging_file=False, **scans)
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.mark.parametrize("bundle", BUNDLES)
def test_both_run_ids_exist_and_are_the_same(bundle):
    config = read(bundle, "train.json")
    assert config["training"] == "%run"
    assert isinstance(config["run"], list)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_training_handlers_are_components(bundle):
    config = read(bundle, "train.json")
    assert all("_target_" in handler for handler in config["train"]["handlers"])


@pytest.mark.parametrize("bundle", BUNDLES)
def test_no_expression_is_longer_than_a_line(bundle):
    for path in set(folder(bundle).glob("*.json")) - {folder(bundle) / "metadata.json"}:
        for line in path.read_text().splitlines():
            assert len(line) <= 140, (path.name, line)


@pytest.mark.parametrize("bundle", BUNDLES)
def test_training_and_inference_know_the_same_networks(bundle):
    train, inference = read(bundle, "train.json"), read(bundle, "inference.json")
    assert train["backbones"] == inference["backbones"]
    for name in ("modalities", "classes"):
        assert train[name] == inference[name]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_metadata(bundle):
    meta, train = read(bundle, "metadata.json"), read(bundle, "train.json")
    required = "schema version monai_version pytorch_version numpy_version required_packages_version task description"
    assert not {*required.split(), "authors", "copyright", "network_data_format"} - meta.keys()
    assert "optional_packages_version" not in meta
    assert meta["schema"].endswith("meta_schema_20240725.json")
    assert meta["version"] in meta["changelog"]
    assert meta["name"] == bundle
    image, pred = meta["network_data_format"]["inputs"]["image"], meta["network_data_format"]["outputs"]["pred"]
    names = [name.lower().replace("t1c", "t1ce") for name in image["channel_def"].values()]
    assert names == train["modalities"]
    assert image["num_channels"] == len(train["modalities"])
    assert pred["num_channels"] == len(train["classes"]) == len(pred["channel_def"])
    for tensor in (image, pred):
        assert {"type", "format", "num_channels", "spatial_shape", "dtype", "value_range"} <= tensor.keys()


@pytest.mark.slow
@pytest.mark.parametrize("bundle", BUNDLES)
def test_network_keeps_what_metadata_says(bundle):
    files = {"meta_file": str(folder(bundle) / "metadata.json"), "config_file": str(folder(bundle) / "inference.json")}
    verify_net_in_out("network_def", **files, device="cpu", n=1, backbone="mmformer_small")


@pytest.mark.slow
def test_export_to_torchscript_equals_eager(trained, tmp_path):
    bundle = trained[0] / "bundles" / "brats_passion"
    files = {name: str(bundle / "configs" / f"{name}.json") for name in ("metadata", "inference")}
    model = str(bundle / "models" / "model.pt")
    ckpt_export(
        "network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=model,
        meta_file=files["metadata"],
        config_file=files["inference"],
        backbone="mmformer_small",
    )
    parser = ConfigParser()
    parser.read_config(files["inference"])
    parser["backbone"] = "mmformer_small"
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(model, weights_only=True))
    x = torch.randn(1, 4, 32, 32, 32)
    x[:, 1] = float("nan")
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.load(tmp_path / "model.ts").eval()(x), network(x), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["train", "inference"])
def test_load_gives_the_trained_network(trained, kind):
    bundle_dir = trained[0] / "bundles"
    network = load("brats_passion", bundle_dir=str(bundle_dir), workflow_type=kind, source="github")
    state = torch.load(bundle_dir / "brats_passion" / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("backbone", read(BUNDLES[0], "train.json")["backbones"])
@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_backbone_of_the_table_takes_any_subset(bundle, backbone):
    parser = ConfigParser()
    parser.read_config(str(folder(bundle) / "inference.json"))
    parser["backbone"] = backbone
    network = parser.get_parsed_content("network_def").eval()
    x = torch.randn(1, network.num_modalities, *[max(32, 2 * network.divisor)] * network.spatial_dims)
    x[:, 1:] = float("nan")
    with torch.no_grad():
        logits = network(x)
    assert logits.shape == (1, len(parser["classes"]), *x.shape[2:])
    assert logits.isfinite().all()
