"""What is asked: which scans of which case, from the words of a command or of an inference.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from passion_monai.data import load_data_list, parse_subset
from passion_monai.data.cases.channels import file_and_channel
from passion_monai.data.cases.files import list_images
from passion_monai.data.cases.findings import settle
from passion_monai.data.cases.slice_folders import slice_folders
from passion_monai.data.cases.source import read_folder
from passion_monai.data.scans import stem
from passion_monai.utils.messages import few, nearest

__all__ = ["Request", "cases_to_predict", "find_requests"]


@dataclass(frozen=True)
class Request:
    """A case to predict: a file or folder per modality, or one file with named channels."""

    case: str
    files: dict[str, str]
    channels: tuple[str, ...] = ()


def find_requests(
    scans: Mapping[str, str],
    source: str | None,
    channels: str | None,
    only: str | None,
    modalities: Sequence[str],
    options: Sequence[str] = (),
) -> list[Request]:
    """The cases that a person asks for.

    Args:
        scans: modality to file or folder, of one case.
        source: instead of ``scans``, a folder of cases or one file with ``channels``.
        channels: names of its channels, joined by commas.
        only: use this subset alone, as ``flair+t1``; the files of other modalities are not opened.
        modalities: the names of the bundle, in its order.
        options: other known words, for the suggestion when one of ``scans`` is unknown.

    Raises:
        FileNotFoundError: when ``source`` does not exist.
        ValueError: when nothing or too much is named, a name is unknown, or a case has nothing of ``only``.
    """
    for name in scans:
        if name not in modalities:
            raise ValueError(f"unknown modality or option --{name}: {nearest(name, [*modalities, *options])}")
    kept = (
        [n for n, keep in zip(modalities, parse_subset(only, modalities), strict=True) if keep] if only else modalities
    )
    if scans and source is not None:
        raise ValueError("name either scans, one option a modality, or --input, not both")
    if channels is not None and (source is None or Path(source).is_dir()):
        raise ValueError("--channels names the channels of one 4-D file: give it as --input FILE")
    if scans:
        requests = [
            Request(
                stem(file_and_channel(next(iter(scans.values())))[0]),
                {name: scans[name] for name in modalities if name in scans},
            )
        ]
    elif source is None:
        raise ValueError(
            f"no scans given: name at least one of {', '.join(f'--{name}' for name in modalities)}, or --input with a "
            f"folder of cases or a 4-D file"
        )
    else:
        requests = _from_source(Path(source).expanduser(), channels, modalities)
    return [_restricted(request, kept) for request in requests]


def _from_source(source: Path, channels: str | None, modalities: Sequence[str]) -> list[Request]:
    if not source.exists():
        raise FileNotFoundError(f"--input {source} does not exist")
    if source.is_dir():
        if not any(source.iterdir()):
            raise ValueError(f"--input {source} is an empty folder")
        files = list_images(source)
        if not files.images and not slice_folders(source):
            settle(files.findings)
            raise ValueError(
                f"--input {source} holds no NIfTI file (CASE_{modalities[0]}.nii.gz, ...), but "
                f"{few(sorted(path.name for path in source.iterdir()))}: name a DICOM series or another format by its "
                f"modality, as --{modalities[0]} FOLDER"
            )
        return [_of_item(item, modalities) for item in read_folder(source, modalities)]
    if channels is None:
        raise ValueError(
            f"--input {source} is a file: say what its channels are, as --channels {','.join(modalities)}; a volume of "
            f"one modality is named by its own option, as --{modalities[0]} {source}"
        )
    return [Request(stem(source), {"image": str(source)}, tuple(name.strip() for name in channels.split(",")))]


def _of_item(item: Mapping[str, Any], modalities: Sequence[str]) -> Request:
    """A case of a folder; channels of 4-D files are files of their own, see `passion_monai.data.cases.channels`."""
    return Request(item["case"], {name: item[name] for name in modalities if name in item})


def _restricted(request: Request, kept: Sequence[str]) -> Request:
    """The request without the modalities that ``--only`` leaves out."""
    names = request.channels or tuple(request.files)
    if not set(names) & set(kept):
        raise ValueError(f"case {request.case!r} has {', '.join(names)}, none of --only {'+'.join(kept)}")
    if request.channels:
        return request
    return replace(request, files={name: request.files[name] for name in kept if name in request.files})


def cases_to_predict(
    dataset_dir: str | None,
    modalities: Sequence[str],
    data_list_file_path: str | None = None,
    only: str | None = None,
    section: str = "test",
) -> list[dict[str, Any]]:
    """The scans of a folder or of a data list, without labels.

    Args:
        dataset_dir: folder of cases, or the folder that relative paths of the data list start from (None: its own).
        modalities: names in channel order.
        data_list_file_path: JSON data list.
        only: use this subset alone, as ``flair+t1``; the files of other modalities are not opened.
        section: of the data list.

    Raises:
        ValueError: when neither folder nor list is given, two cases share a name, or a case lacks all of ``only``.
    """
    if data_list_file_path is not None:
        items = load_data_list(data_list_file_path, dataset_dir, modalities, section)
    elif dataset_dir is not None:
        items = read_folder(dataset_dir, modalities)
    else:
        raise ValueError("no scans given: name a folder with --dataset_dir or a data list with --data_list_file_path")
    twice = [case for case, count in Counter(item["case"] for item in items).items() if count > 1]
    if twice:
        raise ValueError(f"cases with the same name would overwrite each other's result: {twice[:5]}. Rename them")
    kept = set(modalities)
    if only is not None:
        row = parse_subset(only, modalities).tolist()
        kept = {name for name, wanted in zip(modalities, row, strict=True) if wanted}
    found = []
    for item in items:
        names = [name for name in modalities if name in kept and item.get(name) is not None]
        if not names:
            raise ValueError(f"case {item['case']} has none of {sorted(kept)}: leave it out, or choose another --only")
        found.append({"case": item["case"], **{name: item[name] for name in names}})
    return found
