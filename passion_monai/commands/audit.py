"""`passion audit`: what a data set holds and whether training would fail on it."""

from __future__ import annotations

import json as json_text
import os
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from passion_monai.data.audit import Coding, Crop, audit_data, audit_json, audit_text, write_training_files
from passion_monai.utils.files import whole_file
from passion_monai.utils.messages import names_of

__all__ = ["audit"]


def audit(
    data: str,
    modalities: str | None = None,
    bundle: str | None = None,
    json: str | None = None,
    write: str | None = None,
    dataset_dir: str | None = None,
    roi_size: Any = None,
    spacing: Any = None,
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
        bundle: folder of a bundle: its modalities, coding of labels and training crop are what the data must fit. Its
            config is code that is executed, as by passion predict. Name one that you trust.
        json: write everything, case by case and file by file, to this file as well.
        write: folder for data_list.json and availability.csv, which leave out what cannot be used, for train.json; what
            remains wrong is said.
        dataset_dir: what relative paths of a data list start from; default: the list's own folder.
        roi_size: with --bundle, the crop you will train with, such as 80,80,80; default: the bundle's.
        spacing: with --bundle, in mm, such as 1,1,1; default: the bundle's.
        patient: regular expression for the patient in a case's name, such as "(p[0-9]+)_".
        seed: of the validation cases, where the data set names none (train.json's seed).
        jobs: files read at a time; default: one a processor, at most 4.
        overwrite: replace files that --json and --write would write.
    """
    report = None if json is None else Path(str(json))
    if report is not None and report.exists() and not overwrite:
        raise FileExistsError(f"{report} exists: choose another file, or replace it with --overwrite")
    names, coding, crop = (None, None, None) if bundle is None else _bundle_facts(Path(str(bundle)), roi_size, spacing)
    if modalities is not None:
        names = names_of(modalities)
    found = audit_data(
        str(data),
        modalities=names,
        dataset_dir=None if dataset_dir is None else str(dataset_dir),
        coding=coding,
        crop=crop,
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


def _bundle_facts(folder: Path, roi_size: Any, spacing: Any) -> tuple[list[str], Coding, Crop | None]:
    """Modalities, label coding and crop of a bundle's training; a 2D bundle pads, no case is too small for it."""
    config = folder / "configs" / "train.json"
    if not config.is_file():
        raise FileNotFoundError(f"{folder} is no bundle: there is no {config}")
    parser = ConfigParser()
    parser.read_config(str(config))
    parser["dataset_dir"] = str(folder)  # not the phantom's short schedule
    names = ("modalities", "label_mapping", "classes", "spatial_dims", "roi_size")
    modalities, mapping, classes, dims, roi = (parser.get_parsed_content(name) for name in names)
    known: Any = parser.config
    defaults = [roi, parser.get_parsed_content("spacing") if "spacing" in known else None]
    coding = Coding({int(value): int(index) for value, index in mapping.items()}, list(classes))
    crop = [
        value if value is not None else default for value, default in zip((roi_size, spacing), defaults, strict=True)
    ]
    if dims == 3 and any(not isinstance(value, (list, tuple)) or len(value) != 3 for value in crop):
        raise ValueError(f"--roi_size and --spacing take three numbers, such as 80,80,80 and 1,1,1, got {crop}")
    return list(modalities), coding, Crop(*crop) if dims == 3 else None
