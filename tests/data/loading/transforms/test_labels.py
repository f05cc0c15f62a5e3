import pytest
import torch
from monai.data import MetaTensor

from passion_monai.data import MapLabelsd


@pytest.mark.parametrize("dtype", [torch.float32, torch.int16, torch.uint8, torch.int64])
def test_default_is_brats_of_all_years(dtype):
    label = torch.tensor([[[0, 1], [2, 4]], [[3, 4], [0, 0]]], dtype=dtype)
    mapped = MapLabelsd("label")({"label": label})["label"]
    assert mapped.dtype == torch.uint8
    assert mapped.tolist() == [[[0, 1], [2, 3]], [[3, 3], [0, 0]]]
    assert label.max() == 4


def test_text_keys_as_in_json_and_large_values():
    mapping = {"2221": 5, "0": 0, "200": 1, "500": 2}
    mapped = MapLabelsd("label", mapping)({"label": torch.tensor([[200, 0, 2221, 500]])})["label"]
    assert mapped.tolist() == [[1, 0, 5, 2]]
    small = torch.tensor([[200, 0]], dtype=torch.uint8)
    assert MapLabelsd("label", mapping)({"label": small})["label"].tolist() == [[1, 0]]


def test_meta_data_stay():
    label = MetaTensor(torch.ones(1, 2, 2), affine=torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0])))
    mapped = MapLabelsd("label")({"label": label})["label"]
    assert torch.equal(mapped.affine, label.affine)


def test_values_without_a_class_are_named():
    with pytest.raises(ValueError, match=r"case 'a', label holds the values \[1.5, 7.0\], .* coding \[0, 1, 2, 3, 4\]"):
        MapLabelsd("label")({"case": "a", "label": torch.tensor([[0.0, 7.0, 1.5]])})
    with pytest.raises(ValueError, match=r"label holds the values \[-1\]"):
        MapLabelsd("label")({"label": torch.tensor([[0, -1]])})


def test_keys_and_classes_are_checked():
    assert MapLabelsd("label", allow_missing_keys=True)({"case": "a"}) == {"case": "a"}
    with pytest.raises(KeyError):
        MapLabelsd("label")({"case": "a"})
    with pytest.raises(ValueError, match=r"values 0\.\.32767"):
        MapLabelsd("label", {0: -1})


def test_back_to_values_beyond_a_byte():
    back = MapLabelsd("label", dict(enumerate([0, 200, 2221])))({"label": torch.tensor([[2, 0, 1]], dtype=torch.uint8)})
    assert back["label"].tolist() == [[2221, 0, 200]]
    assert back["label"].dtype == torch.int16
