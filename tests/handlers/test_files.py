import pytest
import torch

from passion_monai.handlers import EpochTable, save_atomically


def test_rows_done_again_are_replaced(tmp_path):
    table = EpochTable(tmp_path / "deep" / "log.csv")
    for epoch in (1, 2, 3):
        table.write(epoch, {"loss": epoch / 10})
    EpochTable(table.path).write(2, {"loss": 9.0, "extra": 1.5})
    assert table.path.read_text().splitlines() == ["epoch,loss,extra", "1,0.1,", "2,9,1.5"]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.pt"
    save_atomically({"a": torch.ones(2)}, path)
    with pytest.raises(Exception, match=r"pickle"):
        save_atomically({"a": lambda: None}, path)
    assert torch.equal(torch.load(path, weights_only=True)["a"], torch.ones(2))
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]
