"""A folder of phantom cases: made once, complete or not there at all, named by what it holds."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import nibabel as nib
import numpy as np
from tqdm import tqdm

__all__ = ["phantom_folder", "write_nifti"]

WriteCase: TypeAlias = Callable[[Path, str, np.random.Generator], None]


def phantom_folder(
    root: str | PathLike[str],
    name: str,
    parameters: Mapping[str, Any],
    sections: Mapping[str, int],
    seed: int,
    write_case: WriteCase,
    progress: bool = True,
) -> str:
    """Make ``<root>/<name>-<hash>/<section>/PHANTOM_0001/...`` unless it is there.

    Args:
        root: where the folder is made.
        name: of the phantom.
        parameters: everything that decides the images; hashed into the folder's name, written to ``phantom.json``.
        sections: folder to number of cases; cases are numbered through all of them.
        seed: of the cases; the i-th case depends on ``(seed, i)`` alone.
        write_case: writes a case's files into a folder, given the case's name and a generator.
        progress: show a bar.

    Returns:
        Path of the folder.

    Raises:
        ValueError: when a number of cases is negative or there is none at all.
    """
    if min(sections.values()) < 0 or sum(sections.values()) == 0:
        raise ValueError(f"a phantom needs at least one case and no negative number of them, got {dict(sections)}")
    facts = {"parameters": parameters, "sections": sections, "seed": seed}
    text = json.dumps(facts, sort_keys=True, indent=2)
    target = Path(root).expanduser().absolute() / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"
    if target.is_dir():
        return str(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        _write(temporary, sections, seed, write_case, progress, f"Making {name} phantom")
        (temporary / "phantom.json").write_text(text + "\n")
        temporary.chmod(0o755)
        _rename(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return str(target)


def _write(
    folder: Path, sections: Mapping[str, int], seed: int, write_case: WriteCase, progress: bool, title: str
) -> None:
    places = [section for section, count in sections.items() for _ in range(count)]
    for number, section in enumerate(tqdm(places, desc=title, unit="case", disable=not progress), start=1):
        case = folder / section / f"PHANTOM_{number:04d}"
        case.mkdir(parents=True)
        write_case(case, case.name, np.random.Generator(np.random.PCG64([seed, number])))


def _rename(temporary: Path, target: Path) -> None:
    """The last one of several processes finds the folder there and leaves it: they all made the same."""
    try:
        os.rename(temporary, target)
    except OSError:
        if not target.is_dir():
            raise


def write_nifti(path: Path, image: np.ndarray, spacing: float | Sequence[float]) -> None:
    """Write an image (three axes, right-anterior-superior, centred) with a spacing in mm, one for all axes or three."""
    sizes = np.broadcast_to(spacing, 3)
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = -sizes * (np.array(image.shape) - 1) / 2
    nifti = nib.Nifti1Image(image, affine, dtype=image.dtype)
    nifti.header.set_xyzt_units("mm")
    nib.save(nifti, path)
