"""A bundle as other people get it: a folder and a zip with everything that it needs and nothing else.

Only files that are named one by one are taken: whatever else lies in a bundle's folder never leaves it, and no link
leads out of it.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import passion_monai
from passion_monai.utils.files import file_sha256, read_json_object, whole_file
from passion_monai.utils.names import safe_name
from passion_monai.utils.scratch import scratch_folder

__all__ = ["CHECKSUMS", "export_bundle", "left_out", "read_metadata", "zip_folder", "zip_name"]

CHECKSUMS = "SHA256SUMS"
DECLARED = "bundle_files"  # of metadata.json: what belongs to the bundle beside these
ALWAYS = (
    "LICENSE",
    "large_files.yml",
    "configs/metadata.json",
    "configs/logging.conf",
    "configs/train.json",
    "configs/multi_gpu_train.json",
    "configs/evaluate.json",
    "configs/inference.json",
    "docs/README.md",
    "docs/data_license.txt",
)
WEIGHTS = ("models/model.pt", "models/model.ts", "models/model.onnx")
BESIDE_WEIGHTS = ("models/training.json", "models/reliability.json")


def export_bundle(
    bundle: str | Path,
    target: str | Path,
    vendor: bool = False,
    weights: bool = True,
    weights_url: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Copy what belongs to a bundle into ``target / name``, with checksums.

    Args:
        bundle: folder of the bundle.
        target: folder in which the copy is made; the copy's name is that of the metadata.
        vendor: put this package into the copy, so that it runs where the package is not installed; it is then no
            longer among the required packages.
        weights: the copy holds the model. False: it has none, and whoever gets it trains first.
        weights_url: weights are downloaded from this address by ``python -m monai.bundle download_large_files``:
            they go to ``target / name_weights``, to be put there, and the copy lists them in ``large_files.yml``.
        overwrite: replace a former export.

    Returns:
        The folder of the copy.

    Raises:
        FileNotFoundError: when ``bundle`` is no bundle, or has no model though one is wanted.
        ValueError: when the copy would lie on or in the bundle, something is there already, the metadata's name is no
            name of a folder, what it declares is not there, or the weights are a link out of the bundle.
    """
    source = Path(bundle).resolve()
    meta = read_metadata(source)
    place = Path(target) / _name(source, meta)
    if weights_url and not (weights_url.isprintable() and not set(weights_url) & set("\"' ")):
        raise ValueError(f"--weights_url must be an address without blanks and quotes, got {weights_url!r}")
    model = source / WEIGHTS[0]
    if weights and not model.is_file():
        raise FileNotFoundError(
            f"the bundle has no model at {model}: train it first, or export it without one with --without_weights"
        )
    _check_place(place.resolve(), source, overwrite)
    published = place.with_name(f"{place.name}_weights")
    if weights and weights_url and published.exists() and not overwrite:
        raise ValueError(f"{published} exists: choose another folder, or replace its files with --overwrite")
    if vendor:
        meta["required_packages_version"] = dict(meta.get("required_packages_version") or {})
        meta["required_packages_version"].pop("passion_monai", None)
    names = _declared(source, meta)
    for name in (*WEIGHTS, *BESIDE_WEIGHTS) if weights else ():
        if (source / name).is_file() and not _is_inside(source / name, source):
            raise ValueError(
                f"{source / name} is a link out of the bundle, to {(source / name).resolve()}, and links are not "
                f"followed: put the file itself there"
            )
    with _whole_folder(place) as draft:
        chosen = [*names, *(BESIDE_WEIGHTS if weights else ()), *(WEIGHTS if weights and not weights_url else ())]
        for name in dict.fromkeys(chosen):
            if (source / name).is_file() and _is_inside(source / name, source):
                _copy(source / name, draft / name)
        (draft / "configs" / "metadata.json").write_text(json.dumps(meta, indent=4) + "\n", encoding="utf-8")
        if vendor:
            package = Path(passion_monai.__file__).parent
            shutil.copytree(package, draft / "passion_monai", ignore=_no_part_of_a_package)
        if weights and weights_url:
            _list_weights(source, published, draft, weights_url)
        names = sorted(path.relative_to(draft).as_posix() for path in draft.rglob("*") if path.is_file())
        lines = [f"{file_sha256(draft / name)}  {name}\n" for name in names]
        (draft / CHECKSUMS).write_text("".join(lines), encoding="utf-8")
    return place


def read_metadata(bundle: str | Path) -> dict[str, Any]:
    """``configs/metadata.json`` of a bundle.

    Raises:
        FileNotFoundError: when there is none.
        ValueError: when it is no valid JSON object.

    Example:
        >>> read_metadata("nowhere")
        Traceback (most recent call last):
        FileNotFoundError: nowhere is no bundle: nowhere/configs/metadata.json does not exist
    """
    path = Path(bundle) / "configs" / "metadata.json"
    if not path.is_file():
        raise FileNotFoundError(f"{bundle} is no bundle: {path} does not exist")
    return read_json_object(path)


def zip_name(bundle: str | Path) -> str:
    """Name of a bundle's zip, ``NAME_vVERSION.zip``.

    Raises:
        ValueError: when name or version of its metadata cannot be a part of a file's name.
    """
    meta = read_metadata(bundle)
    where = Path(bundle) / "configs" / "metadata.json"
    return f"{_name(Path(bundle).resolve(), meta)}_v{safe_name(meta.get('version'), f'{where}: version')}.zip"


def left_out(bundle: str | Path, folder: str | Path) -> list[str]:
    """What lies in a bundle's folder and is not in a copy of it, one line a file or, of other folders, a folder.

    Args:
        bundle: the folder that was copied.
        folder: the copy.
    """
    source, found = Path(bundle).resolve(), Counter[str]()
    for place, folders, files in os.walk(source):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in [*files, *links]:
            path = Path(place, name).relative_to(source)
            if not (Path(folder) / path).is_file():
                shown = path.as_posix()
                own = len(path.parts) == 1 or path.parts[0] in ("configs", "docs", "scripts", "models")
                found[shown if own else f"{path.parts[0]}/"] += 1
    return [f"{name} ({count} files)" if name.endswith("/") else name for name, count in sorted(found.items())]


def zip_folder(folder: str | Path, path: str | Path) -> Path:
    """Pack a folder, under its own name; the same files make the same bytes, whenever and by whomever it is done.

    Args:
        folder: what to pack.
        path: the zip; an existing one is replaced.
    """
    folder = Path(folder)
    with whole_file(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(p.relative_to(folder.parent).as_posix() for p in folder.rglob("*") if p.is_file()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            with (folder.parent / name).open("rb") as source, archive.open(entry, "w") as packed:
                shutil.copyfileobj(source, packed)
    return Path(path)


def _check_place(place: Path, source: Path, overwrite: bool) -> None:
    if place == source or source in place.parents or place in source.parents:
        raise ValueError(f"the export {place} would lie on or in the bundle {source} itself: choose another folder")
    if not place.exists():
        return
    if not (place / CHECKSUMS).is_file():
        raise ValueError(f"{place} exists and is no former export (it has no {CHECKSUMS}): choose another folder")
    if not overwrite:
        raise ValueError(f"{place} exists: choose another folder, or replace it with --overwrite")


@contextmanager
def _whole_folder(place: Path) -> Iterator[Path]:
    """A folder to fill; when the block ends it replaces ``place``, when it fails nothing has changed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(f".{place.name}.draft-", place.parent) as draft:
        yield draft
        os.chmod(draft, 0o755)  # it was private
        if place.exists():
            shutil.rmtree(place)
        os.replace(draft, place)


def _name(source: Path, meta: Mapping[str, Any]) -> str:
    return safe_name(meta.get("name", source.name), f"{source / 'configs' / 'metadata.json'}: name")


def _declared(source: Path, meta: Mapping[str, Any]) -> list[str]:
    """What belongs to a bundle beside its weights, as paths in its folder; those of `ALWAYS` need not be there."""
    where = f"{source / 'configs' / 'metadata.json'}: {DECLARED}"
    names = meta.get(DECLARED, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{where} must be a list of files, such as docs/figure.png, got {names!r}")
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not name.isprintable() or "\\" in name:
            raise ValueError(f"{where} names {name!r}, expected a file in the bundle's folder, such as docs/figure.png")
        if not (source / name).is_file():
            raise ValueError(f"{where} names {name!r}, and there is no such file: take it from the list")
    return [*ALWAYS, *names]


def _is_inside(path: Path, source: Path) -> bool:
    """Whether a file lies in the bundle's folder, also when links are followed."""
    return path.resolve().is_relative_to(source)


def _no_part_of_a_package(folder: str, names: list[str]) -> set[str]:
    """What a package of Python does not have: caches, hidden files, and links to somewhere else."""
    return {
        name for name in names if name == "__pycache__" or name.startswith(".") or (Path(folder) / name).is_symlink()
    }


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _list_weights(source: Path, place: Path, draft: Path, url: str) -> None:
    """Copy the weights to ``place`` and list them in the draft's ``large_files.yml``."""
    lines = ["large_files:"]
    for name in WEIGHTS:
        if (source / name).is_file():
            _copy(source / name, place / Path(name).name)
            lines += [f'- path: "{name}"', f'  url: "{url.rstrip("/")}/{Path(name).name}"']
            lines += [f'  hash_val: "{file_sha256(source / name)}"', '  hash_type: "sha256"']
    (draft / "large_files.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
