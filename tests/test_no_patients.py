"""No image of a patient is in the repository: every tracked file that could hold one is known by name."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENDINGS = (
    r"(nii(\.gz)?|hdr|img|mha|mhd|raw|nrrd|nhdr|mgz|mgh|dcm|dicom|ima|tiff?|png|jpe?g|gif|bmp|webp|pdf|svg|"
    r"np[yz]|h5|hdf5|mat|pkl|pickle|pt|pth|ts|onnx|safetensors|zip|tar|t?gz|bz2|xz|zst|7z|parquet|db|sqlite)"
)
ALLOWED = [
    r"docs/rooms\.png",
    r"docs/performance_growth\.png",
    r"docs/phantom_case\.png",  # of the phantom, as its name says
    r"docs/study/[a-z0-9_]+_(balance|gains)\.png",  # plots of numbers
    r"bundles/[a-z_]+/docs/phantom_case\.png",
    r"studies/results/[^/]+/[^/]+/scores\.csv\.gz",
    r"bundles/[a-z_]+/models/model\.pt",  # weights
]


def suspicious(names: list[str]) -> list[str]:
    """Names that end as images or archives do, and are not allowed."""
    return [
        name
        for name in names
        if re.search(rf"\.{ENDINGS}$", name, re.IGNORECASE)
        and not any(re.fullmatch(allowed, name) for allowed in ALLOWED)
    ]


def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout: nothing says which files are tracked")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name]


def test_no_tracked_file_can_be_an_image_of_a_patient():
    names = tracked()
    assert "setup.cfg" in names
    assert suspicious(names) == []


def test_no_tracked_file_is_an_image_under_another_name():
    starts = (b"II*\0", b"MM\0*", b"\x89PNG", b"\xff\xd8\xff", b"\x1f\x8b", b"PK\x03\x04", b"NRRD")
    allowed = [name for name in tracked() if any(re.fullmatch(pattern, name) for pattern in ALLOWED)]
    for name in sorted(set(tracked()) - set(allowed)):
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            start = (ROOT / name).open("rb").read(352)
            assert not start.startswith(starts), name
            assert start[344:348] not in (b"n+1\0", b"ni1\0"), name
            assert start[128:132] != b"DICM", name


@pytest.mark.parametrize(
    "name",
    ["a.nii", "x/TCGA_CS_4941.NII.GZ", "a_1.tif", "docs/case.png", "docs/phantom_case.png/b.jpg", "studies/cases.npz"],
)
def test_a_patient_s_image_would_be_found(name):
    assert suspicious(["README.md", "passion_monai/cli.py", name]) == [name]
