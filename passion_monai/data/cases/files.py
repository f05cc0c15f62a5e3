"""Image files below a folder: those that are read, those that look like images and are not, and those not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from passion_monai.data.cases.findings import Finding
from passion_monai.utils.messages import few

__all__ = ["NIFTI", "ImageFile", "ImageFiles", "image_ending", "list_images"]

NIFTI = (".nii.gz", ".nii")
READ = (*NIFTI, ".mha", ".mhd", ".nrrd", ".nhdr")
NOT_READ = (
    *(f".nii.{packed}" for packed in ("bz2", "xz", "zst", "zip", "7z")),
    *(".hdr", ".img", ".img.gz", ".mgz", ".mgh", ".mnc", ".dcm", ".dicom", ".ima", ".par", ".rec"),
    *(".npy", ".npz", ".h5", ".hdf5", ".tif", ".tiff"),
)
DOCUMENTS = (
    *(".txt", ".md", ".rst", ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".html", ".json", ".csv", ".tsv", ".yml"),
    *(".yaml", ".toml", ".cfg", ".ini", ".log", ".py", ".sh", ".m", ".png", ".jpg", ".bval", ".bvec", ".pt"),
)
POINTERS = (b"version https://git-lfs", b"/annex/objects/")


class ImageFile(NamedTuple):
    """An image.

    Attributes:
        path: to open.
        named: what says whose image it is: the path, or the folder ``X_flair.nii.gz`` that holds the file alone.
    """

    path: Path
    named: Path


class ImageFiles(NamedTuple):
    """What a folder holds.

    Attributes:
        images: in formats that are read, sorted.
        others: in formats that are not.
        findings: what is not there, or cannot be told.
    """

    images: list[ImageFile]
    others: list[Path]
    findings: list[Finding]


def image_ending(name: str, endings: tuple[str, ...] = READ) -> str:
    """The ending of an image's name, as it is written; empty when it is no image.

    Example:
        >>> image_ending("a_t1.NII.GZ"), image_ending("a.txt")
        ('.NII.GZ', '')
    """
    lower = name.lower()
    ending = max((end for end in endings if lower.endswith(end)), key=len, default="")
    return name[len(name) - len(ending) :] if ending else ""


def list_images(root: Path) -> ImageFiles:
    """Look through a folder at any depth, also behind links to folders; hidden files are left out.

    Raises:
        PermissionError: when a folder may not be read.
    """
    found = ImageFiles([], [], [])
    for folder, folders, names in os.walk(root, followlinks=True, onerror=_refuse):
        here = Path(folder)
        visible = sorted(name for name in folders if not name.startswith("."))
        folders[:] = [name for name in visible if not image_ending(name) and not _circle(here / name)]
        for name in visible:
            if image_ending(name):
                _take_folder(here / name, found)
        files = sorted(name for name in names if not name.startswith("."))
        if here != root and not visible and not files and ".gitkeep" not in names:
            found.findings.append(Finding("empty-folder", f"{here} holds no file", files=(str(here),)))
        for name in files:
            _take(here / name, found)
    found.images.sort(key=lambda image: str(image.named))
    return found


def _take(path: Path, found: ImageFiles) -> None:
    """Put one file where it belongs."""
    missing = _not_there(path)
    if missing:
        named = path.with_suffix("") if path.suffix == ".dvc" else path
        found.findings.append(Finding("not-there", missing, files=(str(path),), named=str(named)))
    elif image_ending(path.name):
        if path.is_file():
            found.images.append(ImageFile(path, path))
    elif image_ending(path.name, NOT_READ):
        found.others.append(path)


def _take_folder(folder: Path, found: ImageFiles) -> None:
    """A folder called like a file, as some archives unpack: the file in it is meant."""
    inside = list_images(folder)
    found.findings.extend(finding for finding in inside.findings if finding.kind != "empty-folder")
    if len(inside.images) == 1:
        found.images.append(ImageFile(inside.images[0].path, folder))
    elif inside.images:
        names = few([image.path.name for image in inside.images])
        text = f"{folder} is a folder called like a file and holds {len(inside.images)} images: {names}"
        found.findings.append(Finding("two-files", text, files=(str(folder),), named=str(folder)))
    elif not inside.findings or all(finding.kind == "empty-folder" for finding in inside.findings):
        text = f"{folder} is a folder called like a file and holds no image"
        found.findings.append(Finding("empty-folder", text, files=(str(folder),), named=str(folder)))


def _not_there(path: Path) -> str:
    """Why the content of a file is not on this disk; empty when it is."""
    if path.suffix == ".dvc":
        target = path.with_suffix("")
        wanted = image_ending(target.name) or target.suffix.lower() not in (*DOCUMENTS, *NOT_READ)
        return f"{path} stands for {target.name}, which is not there" if wanted and not target.exists() else ""
    if path.is_symlink() and not path.exists():
        if path.suffix.lower() in DOCUMENTS:
            return ""
        return f"{path} is a link to {os.readlink(path)}, which is not there"
    if image_ending(path.name) and path.is_file() and 0 < path.stat().st_size < 1024:
        with path.open("rb") as file:
            if file.read(64).startswith(POINTERS):
                return f"{path} is a pointer of git-lfs or git-annex, not the image itself"
    return ""


def _circle(path: Path) -> bool:
    """Whether a link leads to a folder that it lies in."""
    if not path.is_symlink():
        return False
    real = Path(os.path.realpath(path))
    return real == Path(os.path.realpath(path.parent)) or real in Path(os.path.realpath(path.parent)).parents


def _refuse(error: OSError) -> None:
    if isinstance(error, PermissionError):
        raise PermissionError(f"{error.filename} cannot be read by you: ask for the right to read it") from error
    raise error
