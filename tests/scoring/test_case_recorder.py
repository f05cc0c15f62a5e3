"""A picture that cannot be drawn never fails a finished evaluation."""

import pytest
import torch
from monai.data import DataLoader

from passion_monai.engines import SubsetEvaluator, SubsetInferer
from passion_monai.metrics import PartialScores
from passion_monai.networks import RFNet
from passion_monai.scoring.case_recorder import Example, Recorder, unless_it_fails

MODALITIES = ["flair", "t1ce"]


@pytest.fixture
def evaluator():
    torch.manual_seed(0)
    network = RFNet(spatial_dims=2, num_modalities=2, num_classes=3, channels=(4, 4, 8, 8)).eval()
    image = torch.randn(2, 32, 32)
    image[0] = 0  # a constant image, once it is normalised
    case = {"case": "a$1_", "image": image, "label": torch.randint(0, 3, (1, 32, 32))}
    loader = DataLoader([{**case, "available": torch.tensor([True, True])}], batch_size=1)
    inferer = SubsetInferer((32, 32))
    return SubsetEvaluator(torch.device("cpu"), loader, network, inferer, MODALITIES, {"WT": (1, 2)}, distances=True)


def test_a_constant_image_is_drawn(evaluator, tmp_path):
    example = Example(evaluator, ["flair", "flair+t1ce"])
    Recorder(evaluator, PartialScores(tmp_path, MODALITIES, ["WT"], "x"), tmp_path / "cases", ["a$1_"])
    evaluator.run()
    (path,) = example.draw(tmp_path, ["background", "one", "two"])
    assert path.is_file()
    assert len(list((tmp_path / "cases").glob("*.npz"))) == 1


def test_pictures_that_fail_leave_the_scores(evaluator, tmp_path, caplog):
    (tmp_path / "cases").write_text("a file where the slices would go")
    (tmp_path / "case_a$1_.png").mkdir()
    example = Example(evaluator, ["flair"])
    partial = PartialScores(tmp_path, MODALITIES, ["WT"], "x")
    Recorder(evaluator, partial, tmp_path / "cases", ["a$1_"])
    evaluator.run()
    assert partial.done().cases == ["a$1_"]
    assert "what the report shows of case 'a$1_' is left out, the scores are not affected" in caplog.text
    assert unless_it_fails(lambda: example.draw(tmp_path, ["b", "one", "two"]), [], "the picture of a case") == []
    assert "the picture of a case is left out" in caplog.text
