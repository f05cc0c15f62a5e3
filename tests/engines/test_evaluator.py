"""All subsets in one pass score as one run per subset does."""

import numpy as np
import pytest
import torch
from monai.data import DataLoader

from passion_monai.data import all_subsets, subset_name
from passion_monai.engines import AvailableInferer, SubsetEvaluator, SubsetInferer
from passion_monai.metrics import SubsetTable, score_case
from passion_monai.networks import MMFormer, RFNet

REGIONS = {"WT": (1, 2), "ET": (2,)}
MODALITIES = ["flair", "t1ce", "t1"]
SMALL = {"spatial_dims": 2, "num_modalities": 3, "num_classes": 3}


@pytest.fixture(params=["rfnet", "mmformer"])
def network(request):
    torch.manual_seed(0)
    if request.param == "rfnet":
        return RFNet(**SMALL, channels=(4, 4, 8, 8)).eval()
    small = {"channels": (4, 4, 8, 8, 8), "embed_dim": 16, "num_heads": 2, "mlp_dim": 16, "token_grid": 2}
    return MMFormer(**SMALL, **small).eval()


@pytest.fixture
def cases():
    draw = torch.Generator().manual_seed(1)
    found = []
    for n, available in enumerate(([True, True, True], [True, False, True])):
        image = torch.randn(3, 40, 36, generator=draw)
        image[~torch.tensor(available)] = float("nan")
        label = torch.randint(0, 3, (1, 40, 36), generator=draw)
        found.append({"case": f"case_{n}", "image": image, "label": label, "available": torch.tensor(available)})
    return found


@pytest.mark.parametrize("subsets_per_pass", [None, 2])
def test_one_pass_equals_a_run_per_subset(network, cases, subsets_per_pass):
    window = (32, 32)
    inferer = SubsetInferer(window, subsets_per_pass=subsets_per_pass)
    evaluator = SubsetEvaluator(
        torch.device("cpu"), DataLoader(cases, batch_size=1), network, inferer, MODALITIES, REGIONS, distances=True
    )
    evaluator.run()
    separate = SubsetTable(MODALITIES, list(REGIONS))
    for row in all_subsets(3):
        for case in cases:
            if bool((row & ~case["available"]).any()):
                continue
            image = case["image"].masked_fill(~row.view(3, 1, 1), float("nan"))
            with torch.no_grad():
                labels = AvailableInferer(window)(image[None], network).argmax(dim=1)[0]
            scores = score_case(labels.numpy(), case["label"][0].numpy(), REGIONS)
            separate.add(case["case"], subset_name(row, MODALITIES), scores)
    together = evaluator.scores.table
    assert {row[:3] for row in together.rows} == {row[:3] for row in separate.rows}
    for metric in ("dice", "hd95", "surface_dice_1mm"):
        np.testing.assert_allclose(together.mean(metric), separate.mean(metric), atol=1e-5)
    assert together.mean("dice").max() > 0.1
