"""A bundle as other people get it: a folder and a zip with everything that it needs and nothing else.

Only named files are taken: training data, caches and results that lie in a bundle's folder never leave it.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import passion_monai
from passion_monai.utils.files import file_sha256, read_json_object, whole_file

__all__ = ["CHECKSUMS", "export_bundle", "read_metadata", "zip_folder"]

CHECKSUMS = "SHA256SUMS"
SHARED = ("LICENSE", "large_files.yml", "configs/*.json", "configs/logging.conf", "docs/**/*", "scripts/**/*.py")
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
        ValueError: when the copy would lie on or in the bundle, something is there already, or the metadata's name is
            no name of a folder.
    """
    source = Path(bundle).resolve()
    meta = read_metadata(source)
    name = str(meta.get("name", source.name))
    if Path(name).name != name:
        raise ValueError(f"{source / 'configs' / 'metadata.json'}: name must be that of a folder, got {name!r}")
    place = Path(target) / name
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
        meta["required_packages_version"].pop("passion_monai", None)
    with _whole_folder(place) as draft:
        patterns = [*SHARED, *(BESIDE_WEIGHTS if weights else ()), *(WEIGHTS if weights and not weights_url else ())]
        for path in sorted({path for pattern in patterns for path in source.glob(pattern)}):
            if path.is_file() and "__pycache__" not in path.parts:
                _copy(path, draft / path.relative_to(source))
        (draft / "configs" / "metadata.json").write_text(json.dumps(meta, indent=4) + "\n", encoding="utf-8")
        if vendor:
            package = Path(passion_monai.__file__).parent
            shutil.copytree(package, draft / "passion_monai", ignore=shutil.ignore_patterns("__pycache__", ".*"))
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
    draft = Path(mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        os.chmod(draft, 0o755)  # mkdtemp makes it private
        yield draft
        if place.exists():
            shutil.rmtree(place)
        os.replace(draft, place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


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
