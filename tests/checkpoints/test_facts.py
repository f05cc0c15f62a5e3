"""A model carries its own facts; a damaged one, or one of another training, is never used without a word."""

import json
import logging

import pytest
import torch

from passion_monai.checkpoints import check_model, load_settings, load_weights, reading_choices, save_model
from passion_monai.checkpoints.facts import facts_of
from passion_monai.data import LoadImageModalitiesd, MarkMissingd, NormalizeNonzerod
from tests.helpers.mean_fusion import MeanFusion

FACTS = {"backbone": "mean", "spacing": [1.0, 1.0, 2.0], "modalities": ["a", "b", "c"], "demo": False, "epochs": 3}


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    save_model(MeanFusion(2, 3, 3).state_dict(), tmp_path / "model.pt", FACTS)
    return tmp_path / "model.pt"


def flip(path, place):
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_the_file_is_a_flat_state_dict_that_loads_safely_and_says_what_it_is(model):
    state = torch.load(model, weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    network = MeanFusion(2, 3, 3)
    assert network.load_state_dict(state).missing_keys == []
    assert load_settings(model, backbone="other", crop=5) == {**FACTS, "crop": 5}
    copy = json.loads((model.parent / "training.json").read_text())
    assert {name: copy[name] for name in FACTS} == FACTS


def test_facts_change_together_with_weights_or_not_at_all(model, monkeypatch):
    before = model.read_bytes()
    monkeypatch.setattr("passion_monai.utils.files.os.replace", lambda *paths: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        save_model(MeanFusion(2, 3, 3).state_dict(), model, {**FACTS, "spacing": [2, 2, 2]})
    assert model.read_bytes() == before
    assert load_settings(model) == FACTS


def test_facts_that_were_edited_inside_are_an_error(model):
    state = torch.load(model, weights_only=True)
    state._metadata["passion_monai"]["facts"]["spacing"] = [2.0, 2.0, 2.0]
    torch.save(state, model)
    with pytest.raises(ValueError, match="is damaged or was changed"):
        facts_of(torch.load(model, weights_only=True), model)


def test_what_stands_inside_wins_and_the_difference_is_said(model, caplog):
    copy = model.parent / "training.json"
    copy.write_text(json.dumps({**FACTS, "spacing": [2, 2, 2]}))
    with caplog.at_level(logging.WARNING):
        assert load_settings(model)["spacing"] == [1.0, 1.0, 2.0]
    assert "spacing: [2, 2, 2] there, [1.0, 1.0, 2.0] in the model" in caplog.text
    copy.write_text("{")
    assert load_settings(model) == FACTS
    copy.unlink()
    assert load_settings(model) == FACTS


def test_an_older_model_loads_and_what_is_assumed_is_said(tmp_path, caplog):
    path = tmp_path / "model.pt"
    torch.save(MeanFusion(2, 3, 3).state_dict(), path)
    with caplog.at_level(logging.WARNING):
        assert load_settings(path, backbone="x", spacing=[1]) == {"backbone": "x", "spacing": [1]}
    assert "does not say what it was trained with; assumed: backbone x, spacing [1]" in caplog.text
    (tmp_path / "training.json").write_text(json.dumps({"backbone": "y"}))
    with caplog.at_level(logging.WARNING):
        assert load_settings(path, backbone="x")["backbone"] == "y"
    assert "carries no facts of its own" in caplog.text
    load_weights(MeanFusion(2, 3, 3), path)


def test_facts_beside_are_those_of_their_own_weights_alone(model, tmp_path):
    plain = {name: value.clone() for name, value in torch.load(model, weights_only=True).items()}
    torch.save(plain, model)  # another tool took the facts out
    assert load_settings(model)["spacing"] == [1.0, 1.0, 2.0]
    next(iter(plain.values())).add_(1.0)
    torch.save(plain, model)
    with pytest.raises(ValueError, match=r"training.json belongs to another model than .*model.pt"):
        load_settings(model)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6])
def test_a_flipped_bit_is_an_error(model, share):
    network = MeanFusion(2, 3, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with model.open("rb") as stream:
        content = stream.read()
    biggest = max(torch.load(model, weights_only=True).values(), key=torch.numel)
    place = content.find(biggest.numpy().tobytes())
    flip(model, place + int(share * biggest.numel() * 4))
    with pytest.raises(ValueError, match=r"model.pt is damaged, .*copy it again"):
        load_weights(network, model)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_flipped_bit_in_the_facts_is_an_error(model):
    flip(model, model.read_bytes().find(b"mean"))
    with pytest.raises(ValueError, match=r"model.pt is damaged"):
        load_settings(model)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_an_error(model, tmp_path, value):
    state = MeanFusion(2, 3, 3).state_dict()
    next(iter(state.values())).view(-1)[0] = value
    with pytest.raises(ValueError, match="is not written: 1 parameters are not finite"):
        save_model(state, model, FACTS)
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other.pt holds weights that are no finite numbers, in 1 of"):
        load_weights(MeanFusion(2, 3, 3), tmp_path / "other.pt")


def test_weights_that_overflow_the_network_s_precision_are_an_error(tmp_path):
    state = {name: value.double() for name, value in MeanFusion(2, 3, 3).state_dict().items()}
    next(iter(state.values())).view(-1)[0] = 1e300
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="no finite numbers"):
        load_weights(MeanFusion(2, 3, 3), tmp_path / "model.pt")


def test_facts_of_other_weights_are_an_error(model):
    state = torch.load(model, weights_only=True)
    next(iter(state.values())).add_(1.0)
    torch.save(state, model)  # keeps the facts
    with pytest.raises(ValueError, match="the facts in it belong to other weights"):
        load_weights(MeanFusion(2, 3, 3), model)
    assert facts_of(MeanFusion(2, 3, 3).state_dict(), "x") is None


def test_files_that_hold_no_weights_are_named(tmp_path):
    torch.save({"weights": {"a": torch.ones(1)}, "epoch": 3}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other.pt belongs to another architecture"):
        load_weights(MeanFusion(2, 3, 3), tmp_path / "other.pt")
    torch.save({"model": torch.ones(2)}, tmp_path / "tensor.pt")
    with pytest.raises(ValueError, match=r"tensor.pt belongs to another architecture .*a Tensor instead of weights"):
        load_weights(MeanFusion(2, 3, 3), tmp_path / "tensor.pt")


def test_a_model_is_used_as_it_was_trained(model):
    assert check_model(model, modalities=["a", "b", "c"], spacing=[1, 1, 2], unknown=5)["epochs"] == 3
    for wrong in ({"modalities": ["b", "a", "c"]}, {"spacing": [2.0, 2.0, 2.0]}):
        with pytest.raises(ValueError, match=f"was trained with the {next(iter(wrong))} .* the bundle has"):
            check_model(model, **wrong)


def test_another_way_of_reading_is_named(tmp_path):
    ours = [LoadImageModalitiesd(["a"]), NormalizeNonzerod("image"), MarkMissingd()]
    save_model(MeanFusion(2, 3, 3).state_dict(), tmp_path / "m.pt", {"reading": reading_choices(ours)})
    check_model(tmp_path / "m.pt", reading=reading_choices(ours[:2]))
    for other in (ours[:1], [LoadImageModalitiesd(["a"], axcodes=None), ours[1]]):
        with pytest.raises(ValueError, match="was trained with the reading LoadImageModalitiesd"):
            check_model(tmp_path / "m.pt", reading=reading_choices(other))
