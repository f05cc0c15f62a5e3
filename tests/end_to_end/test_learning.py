"""Does learning happen? Slices of the brain phantom, PASSION, under imbalanced missing rates."""

import pytest
import torch
from monai.data import DataLoader, DistributedSampler
from monai.transforms import Compose, NormalizeIntensityd, RandFlipd, RandSpatialCropd

from passion_monai.bundle import prepare_cases, realised_rates
from passion_monai.data import (
    CaseDataset,
    CropToAvailabled,
    LoadImageModalitiesd,
    MapLabelsd,
    MarkMissingd,
    brain_phantom,
)
from passion_monai.engines import IncompleteTrainer, SubsetEvaluator, SubsetInferer, TrainingView
from passion_monai.handlers import EpochSeed, MethodHandler
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import Passion
from passion_monai.networks import MMFormer

MODALITIES = ("flair", "t1ce", "t1", "t2")
REGIONS = {"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)}
READING = (
    LoadImageModalitiesd(MODALITIES, spatial_dims=2),
    MapLabelsd("label"),
    NormalizeIntensityd("image", nonzero=True, channel_wise=True),
)
both = ("image", "label")
AUGMENTATION = (
    CropToAvailabled(both, min_size=64),
    RandSpatialCropd(both, (64, 64), random_size=False),
    RandFlipd(both, prob=0.5, spatial_axis=0),
    MarkMissingd(),
)


def whole_tumour(network, data):
    """Mean Dice of WT by subset."""
    evaluator = SubsetEvaluator(torch.device("cpu"), data, network, SubsetInferer((64, 64)), MODALITIES, REGIONS)
    evaluator.run()
    table = evaluator.scores.table
    return dict(zip(table.subsets, table.mean("dice")[:, 0].tolist(), strict=True))


def train(folder, epochs):
    cases = prepare_cases(folder, MODALITIES, "0.2,0.4,0.6,0.8")
    torch.manual_seed(0)
    network = MMFormer(2, 4, 4, (8, 12, 16, 24, 32), embed_dim=64, num_heads=4, mlp_dim=128, token_grid=4)
    method = Passion(4, realised_rates(cases["training"], MODALITIES))
    view = TrainingView(network, method)
    dataset = CaseDataset(cases["training"], Compose([*READING, *AUGMENTATION]))
    data = DataLoader(dataset, batch_size=2, sampler=DistributedSampler(dataset, num_replicas=1, rank=0, shuffle=True))
    trainer = IncompleteTrainer(
        device="cpu",
        max_epochs=epochs,
        train_data_loader=data,
        network=view,
        optimizer=torch.optim.AdamW(view.parameters(), lr=5e-3, amsgrad=True),
        loss_function=SegmentationLoss(),
        method=method,
        train_handlers=[EpochSeed(data), MethodHandler(method, MODALITIES)],
    )
    held_out = DataLoader(CaseDataset(cases["validation"], Compose([*READING, MarkMissingd()])))
    before = whole_tumour(network, held_out)
    trainer.run()
    return before, whole_tumour(network, held_out)


@pytest.mark.slow
def test_learns_and_flair_beats_t1_and_repeats(tmp_path):
    folder = brain_phantom(tmp_path, num_training=40, num_validation=12, spatial_dims=2, progress=False)
    before, after = train(folder, epochs=12)
    assert after["flair"] > after["t1"]
    assert after["flair"] > before["flair"] + 0.3
    assert after["flair+t1ce+t1+t2"] > before["flair+t1ce+t1+t2"] + 0.3
    assert train(folder, epochs=12)[1] == after
