"""Where the results of a prediction go: checked before anything is computed, moved there when they are whole."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from passion_monai.utils.files import whole_file
from passion_monai.utils.messages import few

__all__ = ["Outputs", "plan_outputs"]

ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class Outputs:
    """The files of one case: the label map, its record, and the maps that were asked for, by postfix."""

    labels: Path
    record: Path
    maps: dict[str, Path]

    def collect(self, folder: Path, case: str) -> None:
        """Take what a bundle's postprocessing wrote for ``case``; every file appears whole or not at all."""
        for postfix, path in {"seg": self.labels, **self.maps}.items():
            with whole_file(path) as draft:
                _copy(folder / f"{case}_{postfix}.nii.gz", draft, path.name.endswith(".gz"))


def plan_outputs(
    output: str, cases: Sequence[str], single: bool, postfixes: Sequence[str], overwrite: bool
) -> list[Outputs]:
    """The files of every case, after making sure that they can be written.

    Args:
        output: a NIfTI file for a single case, else a folder.
        cases: their names.
        single: a case was named, not a folder of cases.
        postfixes: of the maps beside the label map.
        overwrite: replace results that are there.

    Raises:
        ValueError: when ``output`` is of the wrong kind or holds results already, or two cases share a name.
        PermissionError: when it cannot be written.
    """
    path = Path(output).expanduser().absolute()
    if single:
        ending = next((end for end in ENDINGS if path.name.endswith(end)), None)
        if ending is None or path.is_dir():
            raise ValueError(f"--output {output} must be a file ending in {' or '.join(ENDINGS)} for a single case")
        stems = [path.with_name(path.name.removesuffix(ending))]
        plans = [_outputs(stems[0], "", ending, postfixes)]
        folder = path.parent
    else:
        if path.is_file() or path.name.endswith(ENDINGS):
            raise ValueError(f"--output {output} must be a folder for a folder of cases, not a file")
        plans = [_outputs(path / case, "_seg", ENDINGS[0], postfixes) for case in cases]
        folder = path
    there = [str(p) for plan in plans for p in (plan.labels, plan.record, *plan.maps.values()) if p.exists()]
    if there and not overwrite:
        raise ValueError(f"{few(there)} exists already: choose another --output, or replace it with --overwrite")
    _check_writable(folder)
    return plans


def _outputs(stem: Path, postfix: str, ending: str, postfixes: Sequence[str]) -> Outputs:
    def named(suffix: str) -> Path:
        return stem.with_name(stem.name + suffix)

    maps = {name: named(f"_{name}{ending}") for name in postfixes}
    return Outputs(named(f"{postfix}{ending}"), named(f"{postfix}.json"), maps)


def _check_writable(folder: Path) -> None:
    """Try it in the nearest folder that exists: what permissions say is not all, of root least."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not existing.is_dir():
        raise ValueError(f"--output: {existing} is a file, so {folder} cannot be made")
    try:
        with tempfile.TemporaryDirectory(dir=existing, prefix=".passion_"):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PermissionError(f"--output: {existing} cannot be written to ({reason}): choose another folder") from error


def _copy(source: Path, target: Path, compressed: bool) -> None:
    with source.open("rb") if compressed else gzip.open(source, "rb") as file, target.open("wb") as written:
        shutil.copyfileobj(file, written)
