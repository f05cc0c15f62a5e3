"""`passion export`: a trained network as one file for other software."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from passion_monai.bundle.options import flag
from passion_monai.networks import IncompleteSegmenter
from passion_monai.prediction.opened_bundle import InferenceBundle
from passion_monai.sharing.bundles import read_metadata
from passion_monai.sharing.formats import FORMATS, export_model
from passion_monai.utils.messages import nearest

__all__ = ["export"]


def export(
    bundle: str,
    output: str,
    format: str = "torchscript",  # noqa: A002 - the option's name
    model: str | None = None,
    window: Any = None,
    overwrite: bool = False,
) -> None:
    """Write the network of a bundle as TorchScript, ONNX or torch.export; compare the file with it for every subset.

    Args:
        bundle: folder of the bundle.
        output: file to write (-o).
        format: torchscript, onnx (needs pip install "passion_monai[onnx]") or torch_export.
        model: weights, if not models/model.pt of the bundle.
        window: size of the images that an onnx or torch_export model takes, such as 96,96,96; default: the training
            crop. TorchScript takes any size.
        overwrite: replace an existing file.
    """
    if format not in FORMATS:
        raise ValueError(f"unknown --format {format!r}: {nearest(str(format), FORMATS)}")
    path = Path(str(output))
    if path.exists() and not flag(overwrite):
        raise ValueError(f"{path} exists: choose another -o, or replace it with --overwrite")
    opened = InferenceBundle(str(bundle), model if model is None else str(model), device="cpu")
    opened.load()
    network = cast(IncompleteSegmenter, opened.network)
    size = opened.parser.get_parsed_content("roi_size") if window is None else _sizes(window, network.spatial_dims)
    metadata = read_metadata(opened.root)
    difference = export_model(network, path, format, None if format == "torchscript" else size, metadata)
    shape = "any size divisible by " + str(network.divisor) if format == "torchscript" else "x".join(map(str, size))
    subsets = 2**network.num_modalities - 1
    print(
        f"{path}: {format}, image (B, {network.num_modalities}, {shape}) with NaN in missing channels -> "
        f"pred (B, {network.num_classes}, ...) logits\n"
        f"equal to the network for all {subsets} subsets, largest difference of a probability {difference:.1e}"
    )


def _sizes(window: Any, spatial_dims: int) -> list[int]:
    sizes = list(window) if isinstance(window, (list, tuple)) else [window] * spatial_dims
    if not all(isinstance(size, int) for size in sizes):
        raise ValueError(f"--window takes whole numbers such as 96,96,96, got {window!r}")
    return sizes
