import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from passion_monai.data import SaveVolumed, SplitPredictiond
from tests.helpers.scans import affine, head


def test_another_number_of_classes():
    with pytest.raises(ValueError, match="predicts 6 classes, the config has 4"):
        SplitPredictiond(4)({"pred": torch.zeros(6, 2, 2, 2)})


@pytest.mark.parametrize("axes", ["RAS", "PIR", "SLA"])
def test_a_map_of_any_orientation_is_written_where_it_lies(tmp_path, axes):
    scan = head(affine((2, 2, 3.0), axes=axes), (6, 5, 4))
    volume = MetaTensor(torch.arange(120.0).reshape(1, 6, 5, 4), torch.as_tensor(scan.affine))
    SaveVolumed("pred", str(tmp_path / "out"), "seg", "int16")({"pred": volume, "case": "a.1"})
    written = nibabel.load(tmp_path / "out" / "a.1_seg.nii.gz")
    np.testing.assert_allclose(written.affine, scan.affine)
    assert written.get_data_dtype() == np.int16
    np.testing.assert_array_equal(written.get_fdata(), volume[0])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.1_seg.nii.gz"]


def test_channels_come_last(tmp_path):
    SaveVolumed("p", str(tmp_path), "probabilities")({"p": MetaTensor(torch.zeros(3, 6, 5, 4)), "case": "a"})
    assert nibabel.load(tmp_path / "a_probabilities.nii.gz").shape == (6, 5, 4, 3)


def test_without_an_affine(tmp_path):
    with pytest.raises(ValueError, match=r"'pred' of case 'a' has no affine"):
        SaveVolumed("pred", str(tmp_path), "seg")({"pred": torch.zeros(1, 2, 2, 2), "case": "a"})
