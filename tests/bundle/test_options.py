import json

import pytest
from monai.bundle import ConfigWorkflow

from passion_monai.bundle import bundle_root, cases_to_predict, check_overrides, flag, load_settings
from passion_monai.checkpoints import save_settings


class Workflow(ConfigWorkflow):
    """Evaluates ids from inside a workflow's method, as `run` does."""

    def get(self, name):
        return self.parser.get_parsed_content(name)


@pytest.fixture
def workflow(tmp_path):
    (tmp_path / "my_bundle" / "configs").mkdir(parents=True)
    config = {
        "imports": ["$import passion_monai.bundle as bundle"],
        "root": "$bundle.bundle_root()",
        "epochs": 3,
        "warnings": "$bundle.check_overrides(['--epoch', '1', '--epochs=2', '--root#x', '1', '--config_file', 'a'])",
        "run": [],
    }
    path = tmp_path / "my_bundle" / "configs" / "train.json"
    path.write_text(json.dumps(config))
    made = Workflow(str(path), logging_file=False)
    made.initialize()
    return made


def test_bundle_root_is_the_config_s_own_folder(workflow, tmp_path):
    assert workflow.get("root") == str(tmp_path / "my_bundle")
    assert bundle_root() == "."


def test_only_unknown_options_are_named(workflow):
    assert workflow.get("warnings") == ["unknown option --epoch, did you mean 'epochs'? It has no effect."]
    assert check_overrides(["--anything"]) == []


@pytest.mark.parametrize("text", ["maybe", "1"])
def test_a_flag_is_true_or_false(text):
    with pytest.raises(ValueError, match=f"expected true or false, got '{text}'"):
        flag(text)


def test_settings_travel_with_the_model(tmp_path):
    assert load_settings(tmp_path / "model.pt", backbone="a") == {"backbone": "a"}
    save_settings(tmp_path / "model.pt", {"backbone": "b", "roi_size": [48, 48]})
    assert load_settings(tmp_path / "model.pt", backbone="a")["backbone"] == "b"
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(ValueError, match=r"training.json is no valid JSON"):
        load_settings(tmp_path / "model.pt")


def test_scans_that_would_overwrite_each_other(tmp_path):
    (tmp_path / "a.nii.gz").touch()
    listing = {"test": [{"case": "same", "flair": "a.nii.gz"}, {"case": "same", "flair": "a.nii.gz"}]}
    (tmp_path / "list.json").write_text(json.dumps(listing))
    with pytest.raises(ValueError, match="same"):
        cases_to_predict(str(tmp_path), ["flair", "t1"], str(tmp_path / "list.json"))


def test_only_takes_what_is_there(tmp_path):
    (tmp_path / "a.nii.gz").touch()
    (tmp_path / "list.json").write_text(json.dumps({"test": [{"case": "one", "flair": "a.nii.gz"}]}))
    with pytest.raises(ValueError, match=r"case one has none of \['t1'\]"):
        cases_to_predict(str(tmp_path), ["flair", "t1"], str(tmp_path / "list.json"), only="t1")
