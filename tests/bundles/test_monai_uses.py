"""The other ways in which MONAI's tools use a bundle: loaded from a zip, federated learning, one tensor at a time."""

import pytest
import torch
from monai.bundle import ConfigParser, download, load
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, WeightType
from monai.fl.utils.exchange_object import ExchangeObject

from passion_monai.sharing.bundles import export_bundle, zip_folder
from tests.helpers.bundles import REPOSITORY, copy_bundles


@pytest.fixture(scope="module", params=["brats_passion", "myops_passion"])
def parser(request):
    """inference.json of a bundle with its small network and small windows."""
    found = ConfigParser()
    found.read_config(str(REPOSITORY / "bundles" / request.param / "configs" / "inference.json"))
    found["backbone"] = "mmformer_small"
    found["device"] = torch.device("cpu")
    found["roi_size"] = [32] * len(found.get_parsed_content("roi_size"))
    torch.manual_seed(0)
    return found


@pytest.fixture(scope="module")
def parts(parser):
    return parser.get_parsed_content("network_def").eval(), parser.get_parsed_content("inferer")


def volume(network, absent=()):
    x = torch.rand(1, network.num_modalities, 32, 32, *((32,) if network.spatial_dims == 3 else (2,)))
    x[:, list(absent)] = torch.nan
    return x


def test_one_tensor_is_enough(parts):
    """MONAI Label calls ``inferer(tensor, network)``: nothing but the tensor says which channels are missing."""
    network, inferer = parts
    x = volume(network, absent=[1])
    other = x.clone()
    other[:, 0] = torch.nan
    with torch.no_grad():
        probabilities, fewer = inferer(inputs=x, network=network), inferer(inputs=other, network=network)
    assert probabilities.shape == (1, network.num_classes, *x.shape[2:])
    assert probabilities.isfinite().all()
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(1, *x.shape[2:]))
    assert not torch.allclose(probabilities, fewer)


def test_a_tensor_loaded_by_others_is_marked_by_the_last_transform(parser, parts):
    """Other tools load images themselves and fill in zeros; the transform at the end makes them NaN."""
    network, inferer = parts
    marking = parser.get_parsed_content("preprocessing").transforms[-1]
    x = volume(network, absent=[0])
    with torch.no_grad():
        torch.testing.assert_close(
            inferer(marking({"image": x[0].nan_to_num(0.0)})["image"][None], network), inferer(x, network)
        )


@pytest.mark.slow
def test_a_zip_is_downloaded_and_loaded(trained, tmp_path):
    bundle = trained[0] / "bundles" / "brats_passion"
    archive = zip_folder(export_bundle(bundle, tmp_path / "out"), tmp_path / "brats_passion.zip")
    download("brats_passion", bundle_dir=str(tmp_path / "hub"), url=archive.as_uri(), progress=False)
    network = load("brats_passion", bundle_dir=str(tmp_path / "hub"), workflow_type="inference", source="github")
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert network.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.slow
def test_a_round_of_federated_learning(tmp_path):
    """A site gets weights, trains an epoch on its own data, sends the weights back, and scores what it is sent."""
    bundle = copy_bundles(tmp_path) / "bundles" / "brats_passion"
    site = {
        "phantom#num_training": 2,
        "phantom#num_validation": 1,
        "phantom#shape": [32, 36, 32],
        "phantom#spacing": 5.0,
        "spacing": [5.0] * 3,
        "roi_size": [32] * 3,
        "availability": "0,0,0,0",
        "output_dir": str(tmp_path / "site"),
    }
    algorithm = MonaiAlgo(
        str(bundle),
        send_weight_diff=False,
        train_kwargs=dict(site),
        config_evaluate_filename="configs/train.json",
        eval_kwargs=dict(site),
    )
    algorithm.initialize({ExtraItems.CLIENT_NAME: "site"})
    sent = {name: value.clone() for name, value in algorithm.get_weights().weights.items()}
    assert sent.keys() == algorithm.evaluator.network.state_dict().keys()
    algorithm.train(ExchangeObject(weights=sent))
    returned = algorithm.get_weights()
    assert returned.weight_type == WeightType.WEIGHTS
    changed = [name for name, value in returned.weights.items() if not torch.equal(value, sent[name])]
    assert len(changed) > len(sent) / 2
    scores = algorithm.evaluate(ExchangeObject(weights=returned.weights)).metrics
    assert 0 <= scores["val_mean_dice"] <= 1
    there = algorithm.evaluator.network.state_dict()
    assert all(torch.equal(value, returned.weights[name]) for name, value in there.items())
    algorithm.finalize()
