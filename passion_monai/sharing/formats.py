"""A trained network as one file for other software: TorchScript, ONNX or ``torch.export``.

The exported model takes one tensor, in which the channels of missing modalities are NaN throughout, and gives logits.
No file is left behind that was not loaded again and compared with the network, for every subset of modalities.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from monai.data import save_net_with_metadata
from torch import Tensor

from passion_monai.data import all_subsets
from passion_monai.networks import IncompleteSegmenter
from passion_monai.utils.files import whole_file
from passion_monai.utils.messages import nearest

__all__ = ["FORMATS", "export_model", "largest_difference"]

METADATA = "metadata.json"


def export_model(
    network: IncompleteSegmenter,
    path: str | Path,
    format: str = "torchscript",  # noqa: A002 - as monai and the command call it
    window: Sequence[int] | None = None,
    metadata: Mapping[str, Any] | None = None,
    tolerance: float = 1e-3,
) -> float:
    """Write a network as a file that runs without this package, and check the file against the network.

    The input is ``image`` ``(B, M, *S)`` with NaN in missing channels, the output ``pred``: logits ``(B, K, *S)``;
    any B. TorchScript takes any size that the network takes; ONNX and ``torch.export`` take the window they were made
    for, which is what a sliding window needs. There, missing modalities are encoded as zeros and masked (a graph has
    no branches on data), so they cost as much as present ones.

    Args:
        network: a backbone; it is left as it is.
        path: file to write; an existing one is replaced.
        format: ``torchscript``, ``onnx`` or ``torch_export``.
        window: size of the images; None is the smallest one that the network takes.
        metadata: JSON values stored in the file.
        tolerance: largest difference of a probability that is taken for rounding.

    Returns:
        The largest difference of a probability between file and network, over all subsets.

    Raises:
        ValueError: for an unknown format, a window that the network does not take, a network that the format cannot
            express, missing packages, or a file that computes something else than the network.
    """
    if format not in FORMATS:
        raise ValueError(f"unknown --format {format!r}: {nearest(format, FORMATS)}")
    write, load = FORMATS[format]
    network = deepcopy(network).cpu().eval()
    size = [2 * network.divisor] * network.spatial_dims if window is None else list(window)
    examples = torch.zeros(2, network.num_modalities, *size)
    network.check(examples, torch.ones(2, network.num_modalities, dtype=torch.bool))
    with whole_file(path) as draft:
        write(network, examples, draft, json.dumps(metadata or {}))
        difference = largest_difference(network, load(draft), size)
        if not difference <= tolerance:
            raise ValueError(
                f"the {format} model differs from the network by {difference:.2g} in a probability, more than "
                f"{tolerance:g}: {path} is not written. Choose another --format, and report this please"
            )
    return difference


def largest_difference(
    network: IncompleteSegmenter, exported: Callable[[Tensor], Tensor], window: Sequence[int], seed: int = 0
) -> float:
    """Largest difference of a probability between two models over all subsets, on noise; NaN where one is NaN.

    Args:
        network: what it should be.
        exported: maps images ``(B, M, *S)`` to logits.
        window: size of the images.
        seed: of the noise.
    """
    subsets = all_subsets(network.num_modalities)
    noise = torch.rand(1, network.num_modalities, *window, generator=torch.Generator().manual_seed(seed))
    absent = ~subsets.reshape(*subsets.shape, *[1] * len(window))
    images = [noise.masked_fill(row, torch.nan) for row in absent]
    images.append(torch.cat([images[0], images[-1]]))  # different subsets in one batch
    with torch.no_grad():
        gaps = [(network(x).softmax(dim=1) - exported(x).softmax(dim=1)).abs().max() for x in images]
    return float(torch.stack(gaps).max())


def _write_torchscript(network: IncompleteSegmenter, examples: Tensor, path: Path, metadata: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch 2.13 prefers torch.export; MONAI's tools do not
            script = torch.jit.script(network)
    except Exception as error:  # the compiler raises a dozen types
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"{type(network).__name__} cannot be written as TorchScript ({reason}): "
            f"choose --format onnx or torch_export"
        ) from error
    stream = BytesIO()  # torch's own writer ends the process when the disk is full
    save_net_with_metadata(script, stream, meta_values=json.loads(metadata))
    path.write_bytes(stream.getbuffer())


def _write_torch_export(network: IncompleteSegmenter, examples: Tensor, path: Path, metadata: str) -> None:
    stream = BytesIO()
    torch.export.save(_captured(network, examples), stream, extra_files={METADATA: metadata})
    path.write_bytes(stream.getbuffer())


def _write_onnx(network: IncompleteSegmenter, examples: Tensor, path: Path, metadata: str) -> None:
    wanted = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if wanted:
        raise ValueError(f"--format onnx needs {', '.join(wanted)}: pip install {' '.join(wanted)}")
    program: Any = torch.onnx.export(
        _captured(network, examples),
        (examples,),
        input_names=["image"],
        output_names=["pred"],
        dynamo=True,
        verbose=False,
    )
    program.model.metadata_props[METADATA] = metadata
    program.save(str(path), external_data=False)


def _captured(network: IncompleteSegmenter, examples: Tensor) -> torch.export.ExportedProgram:
    return torch.export.export(network, (examples,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))


def _load_torch_export(path: Path) -> Callable[[Tensor], Tensor]:
    with path.open("rb") as stream:
        module: Callable[[Tensor], Tensor] = torch.export.load(stream).module()
    return module


def _load_onnx(path: Path) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"image": x.numpy()})[0])


FORMATS: dict[str, tuple[Callable[..., None], Callable[[Path], Callable[[Tensor], Tensor]]]] = {
    "torchscript": (_write_torchscript, partial(torch.jit.load, map_location="cpu")),
    "onnx": (_write_onnx, _load_onnx),
    "torch_export": (_write_torch_export, _load_torch_export),
}
