"""Where the results of a prediction go: checked before anything is computed, moved there when they are whole."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passion_monai.utils.files import file_sha256, whole_files
from passion_monai.utils.messages import few
from passion_monai.utils.names import safe_file_name, safe_name
from passion_monai.utils.texts import read_json

__all__ = ["Outputs", "is_finished", "plan_outputs", "planned_in", "refuse_existing"]

ENDINGS = (".nii.gz", ".nii")
MADE_BY = ("model", "bundle", "versions", "options")  # what a record says of how a label map was made


@dataclass(frozen=True)
class Outputs:
    """The files of one case: the label map, its record, and the maps that were asked for, by postfix."""

    labels: Path
    record: Path
    maps: dict[str, Path]

    def collect(self, made: Mapping[str, Path], facts: Mapping[str, Any] | None) -> None:
        """Put the files of a case in place, all or none of them.

        The record goes first and names the label map by its hash: whatever stops a run in between, a label map never
        lies there without its record, and the next run sees that the record has none.

        Args:
            made: postfix (``seg`` for the label map) to a file that a bundle's postprocessing wrote, as ``.nii.gz``.
            facts: what the record says; None for no record.

        Raises:
            NotWrittenError: when the disk cannot take them; nothing of them is left then.
        """
        pairs = [(made[postfix], path) for postfix, path in self.maps.items()] + [(made["seg"], self.labels)]
        records = [] if facts is None else [self.record]
        with whole_files([*records, *(path for _, path in pairs)]) as drafts:
            for (source, path), draft in zip(pairs, drafts[len(records) :], strict=True):
                _copy(source, draft, path.name.endswith(".gz"))
            if facts is not None:
                known = {**facts, "output_sha256": file_sha256(drafts[-1])}
                drafts[0].write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [self.labels, self.record, *self.maps.values()]


def plan_outputs(output: str, cases: Sequence[str], single: bool, postfixes: Sequence[str]) -> list[Outputs]:
    """The files of every case, after making sure that they can be written.

    Args:
        output: a NIfTI file for a single case, else a folder.
        cases: their names.
        single: a case was named, not a folder of cases.
        postfixes: of the maps beside the label map.

    Raises:
        ValueError: when ``output`` is of the wrong kind, or a case has a name that cannot be that of a file.
        PermissionError: when it cannot be written.
    """
    path = Path(output).expanduser().absolute()
    if single:
        ending = next((end for end in ENDINGS if path.name.endswith(end)), None)
        if ending is None or path.is_dir():
            raise ValueError(f"--output {output} must be a file ending in {' or '.join(ENDINGS)} for a single case")
        stem = path.with_name(path.name.removesuffix(ending))
        plans = [_outputs(stem, "", ending, postfixes, "--output")]
        folder = path.parent
    else:
        if path.is_file() or path.name.endswith(ENDINGS):
            raise ValueError(f"--output {output} must be a folder for a folder of cases, not a file")
        plans = planned_in(path, cases, "seg", postfixes)
        folder = path
    _check_writable(folder)
    return plans


def planned_in(folder: Path, cases: Sequence[str], postfix: str, maps: Sequence[str] = ()) -> list[Outputs]:
    """The files of every case in one folder, and never elsewhere.

    Raises:
        ValueError: when a case or the postfix has a name that cannot be a part of a file's.
    """
    safe_name(postfix, "--output_postfix")
    return [_outputs(folder / safe_name(case, "case"), f"_{postfix}", ENDINGS[0], maps, "case") for case in cases]


def refuse_existing(outputs: Sequence[Outputs], option: str = "--output") -> None:
    """Keep results that are there.

    Raises:
        ValueError: when there are some.
    """
    there = [str(path) for plan in outputs for path in plan.files if os.path.lexists(path)]
    if there:
        raise ValueError(f"{few(there)} exists already: choose another {option}, or replace it with --overwrite true")


def is_finished(output: Outputs, facts: Mapping[str, Any], inputs: Mapping[str, str]) -> bool | None:
    """Whether a former run made exactly what is asked for now; None when it began, and was stopped before its end.

    Args:
        output: the files of a case.
        facts: ``model``, ``bundle``, ``versions`` and ``options`` of the record that would be written now.
        inputs: modality to file, of the scans that would be read now.
    """
    record = _record(output.record)
    if record is None:
        return False
    made = {name: record.get(name) for name in MADE_BY} == json.loads(json.dumps({n: facts.get(n) for n in MADE_BY}))
    read = {name: _absolute(found.get("file", "")) for name, found in record["inputs"].items()}
    since = output.record.stat().st_mtime
    same = made and read == {name: _absolute(path) for name, path in inputs.items()}
    if not same or any(_changed(path) > since for path in read.values()):
        return False
    if not output.labels.exists():
        return None
    return all(path.is_file() for path in output.files) and record["output_sha256"] == file_sha256(output.labels)


def _record(path: Path) -> dict[str, Any] | None:
    """A record of this package; None when there is none, or it is something else."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and isinstance(found.get("inputs"), dict) and "output_sha256" in found
    return found if whole and all(isinstance(one, dict) for one in found["inputs"].values()) else None


def _absolute(path: Any) -> Path:
    """A scan's file or folder; ``all.nii.gz#2`` is the third channel of a file."""
    return Path(re.sub(r"#[0-9]+$", "", str(path))).absolute()


def _changed(path: Path) -> float:
    """When a scan was changed last; of a DICOM folder, when its newest file was."""
    files = [path, *(path.iterdir() if path.is_dir() else ())]
    return max((one.stat().st_mtime for one in files if one.exists()), default=float("inf"))


def _outputs(stem: Path, postfix: str, ending: str, postfixes: Sequence[str], what: str) -> Outputs:
    def named(suffix: str) -> Path:
        return stem.with_name(safe_file_name(stem.name + suffix, what))

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
