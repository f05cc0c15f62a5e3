"""`passion export-bundle`: a bundle as other people get it."""

from __future__ import annotations

from pathlib import Path

from passion_monai.bundle.options import flag
from passion_monai.sharing.bundles import export_bundle as copy_bundle
from passion_monai.sharing.bundles import left_out, zip_folder, zip_name
from passion_monai.sharing.zoo import check_bundle, check_network
from passion_monai.utils.files import file_sha256

__all__ = ["export_bundle"]

SHOWN = 30  # names of what was left out


def export_bundle(
    bundle: str,
    output: str,
    vendor: bool = False,
    zip: bool = False,  # noqa: A002 - the option's name
    without_weights: bool = False,
    weights_url: str | None = None,
    overwrite: bool = False,
) -> None:
    """Copy a bundle with all that it needs and nothing else (no data, no results), and check it as the model zoo does.

    Only the usual files of a bundle are taken, and those that its configs/metadata.json lists as bundle_files. No link
    is followed out of the bundle. What was left out is listed.

    Args:
        bundle: folder of the bundle, such as bundles/brats_passion.
        output: folder in which the copy is made.
        vendor: put the package passion_monai into the copy, which then runs without installing it.
        zip: also write NAME_vVERSION.zip.
        without_weights: export a bundle that has no model yet, or leave it out.
        weights_url: address where you publish the weights: they are listed in large_files.yml instead of copied.
        overwrite: replace a former export.
    """
    target = Path(str(output))
    source = str(bundle)
    url = None if weights_url is None else str(weights_url)
    archive = None
    if flag(zip):
        archive = target / zip_name(source)
        if archive.exists() and not flag(overwrite):
            raise ValueError(f"{archive} exists: choose another folder, or replace it with --overwrite")
    weights = not flag(without_weights)
    folder = copy_bundle(source, target, flag(vendor), weights, url, flag(overwrite))
    files = [path for path in folder.rglob("*") if path.is_file()]
    print(f"{folder}: {len(files)} files, {sum(path.stat().st_size for path in files) / 2**20:.1f} MB")
    lacking = left_out(source, folder)
    if lacking:
        print("left out, because it is not in the list bundle_files of configs/metadata.json:")
        print("".join(f"  {name}\n" for name in lacking[:SHOWN]), end="")
        print(f"  ... {len(lacking)} in all\n" if len(lacking) > SHOWN else "", end="")
    if archive is not None:
        zip_folder(folder, archive)
        print(f"{archive}: {archive.stat().st_size / 2**20:.1f} MB, sha256 {file_sha256(archive)}")
    if url is not None and weights:
        print(f"put the files of {folder}_weights at {url}")
    problems = check_bundle(folder)
    if (folder / "models" / "model.pt").is_file():
        problems += check_network(folder)
    print("model zoo checks: " + ("passed" if not problems else f"{len(problems)} to do"))
    for problem in problems:
        print(f"  {problem}")
