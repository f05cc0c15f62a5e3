"""The bundle's training loader: worker processes change nothing but the time."""

import pytest
import torch
from monai.bundle import ConfigWorkflow

from passion_monai.data import brain_phantom
from passion_monai.handlers import EpochSeed
from tests.helpers.bundles import REPOSITORY

CONFIG = REPOSITORY / "bundles" / "brats_passion" / "configs" / "train.json"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    return brain_phantom(folder, num_training=3, num_validation=1, shape=(32, 36, 32), spacing=5.0, progress=False)


def loader(data, folder, **options):
    small = {"spacing": [5.0] * 3, "roi_size": [32] * 3, "availability": "0,0,0.34,0.67", "batch_size": 2}
    places = {"dataset_dir": str(data), "output_dir": str(folder)}
    workflow = ConfigWorkflow(str(CONFIG), logging_file=False, **places, **small, **options)
    workflow.initialize()
    return workflow.parser.get_parsed_content("train#dataloader")


def two_epochs(batches):
    """Everything two epochs deliver, and the random number that training would draw after each of them."""
    seeds, found = EpochSeed(batches, 0), []
    for epoch in (1, 2):
        seeds(type("Engine", (), {"state": type("State", (), {"epoch": epoch})}))
        found.append([(b["case"], b["image"], b["label"], b["available"]) for b in batches])
        found.append(torch.rand(3))
    return found


def test_workers_deliver_the_same_batches_and_leave_the_same_random_state(data, tmp_path):
    alone, helped = (two_epochs(loader(data, tmp_path, num_workers=n)) for n in (0, 2))
    for ours, theirs in zip(alone, helped, strict=True):
        if torch.is_tensor(ours):
            assert torch.equal(ours, theirs)
            continue
        for batch, other in zip(ours, theirs, strict=True):
            assert batch[0] == other[0]
            for tensor, twin in zip(batch[1:], other[1:], strict=True):
                torch.testing.assert_close(tensor, twin, rtol=0, atol=0, equal_nan=True)
    assert alone[0][0][0] != alone[2][0][0] or not torch.equal(alone[0][0][1], alone[2][0][1])


def test_defaults_on_a_cpu(data, tmp_path):
    batches = loader(data, tmp_path, device=torch.device("cpu"))
    assert (batches.num_workers, batches.persistent_workers, batches.pin_memory) == (0, False, False)
    assert batches.sampler.weights is None
    balanced = loader(data, tmp_path, balance_combinations="true").sampler
    assert len(balanced.weights) == 3
