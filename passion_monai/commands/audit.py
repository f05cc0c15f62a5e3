"""`passion audit`: what a data set holds and whether training would fail on it."""

from __future__ import annotations

import json as json_text
import os
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from passion_monai.data.audit import Coding, audit_data, audit_json, audit_text, write_training_files
from passion_monai.data.files import whole_file

__all__ = ["audit"]


def audit(
    data: str,
    modalities: Any = None,
    bundle: str | None = None,
    json: str | None = None,
    write: str | None = None,
    dataset_dir: str | None = None,
    patient: str | None = None,
    seed: int = 0,
    jobs: int | None = None,
    overwrite: bool = False,
) -> None:
    """Say what the cases of a folder or data list have, and every problem with what to do about it.

    Every file is read once. The exit code is 1 when training would fail, 0 otherwise, 2 when DATA cannot be understood.

    Args:
        data: folder of cases (BraTS, MyoPS or BIDS names; imagesTr with dataset.json) or a data list (JSON).
        modalities: names in channel order, flair,t1ce,t1,t2; default: the bundle's, or what files are named after.
        bundle: folder of a bundle: its modalities and its coding of labels are what the data must fit.
        json: write everything, case by case and file by file, to this file as well.
        write: folder for data_list.json and availability.csv, which leave out what cannot be used, for train.json.
        dataset_dir: what relative paths of a data list start from; default: the list's own folder.
        patient: regular expression for the patient in a case's name, such as "(p[0-9]+)_".
        seed: of the validation cases, where the data set names none (train.json's seed).
        jobs: files read at a time; default: one a processor, at most 4.
        overwrite: replace files that --json and --write would write.
    """
    report = None if json is None else Path(str(json))
    if report is not None and report.exists() and not overwrite:
        raise FileExistsError(f"{report} exists: choose another file, or replace it with --overwrite")
    names, coding = (None, None) if bundle is None else _bundle_facts(Path(str(bundle)))
    if modalities is not None:
        names = [str(name) for name in modalities] if isinstance(modalities, (list, tuple)) else [str(modalities)]
    found = audit_data(
        str(data),
        modalities=names,
        dataset_dir=None if dataset_dir is None else str(dataset_dir),
        coding=coding,
        patient=None if patient is None else str(patient),
        seed=seed,
        jobs=jobs or min(os.cpu_count() or 1, 4),
    )
    print(audit_text(found))
    if report is not None:
        with whole_file(report) as draft:
            draft.write_text(json_text.dumps(audit_json(found), indent=1) + "\n", encoding="utf-8")
    if write is not None:
        print(write_training_files(found, Path(str(write)), seed, overwrite))
    if not found.trains:
        raise SystemExit(1)


def _bundle_facts(folder: Path) -> tuple[list[str], Coding]:
    """Modalities and label coding of a bundle's training."""
    config = folder / "configs" / "train.json"
    if not config.is_file():
        raise FileNotFoundError(f"{folder} is no bundle: there is no {config}")
    parser = ConfigParser()
    parser.read_config(str(config))
    parts = [parser.get_parsed_content(name) for name in ("modalities", "label_mapping", "classes")]
    return list(parts[0]), Coding({int(value): int(index) for value, index in parts[1].items()}, list(parts[2]))
