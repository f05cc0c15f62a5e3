"""`passion predict`: segment new scans."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch

from passion_monai.bundle.options import flag
from passion_monai.metrics.uncertainty import UNCERTAINTIES
from passion_monai.prediction.new_scans import predict_scans
from passion_monai.prediction.opened_bundle import InferenceBundle
from passion_monai.prediction.outputs import plan_outputs
from passion_monai.prediction.requests import find_requests
from passion_monai.utils.messages import nearest

__all__ = ["predict"]


def predict(
    bundle: str,
    output: str,
    input: str | None = None,  # noqa: A002 -- the option's name
    channels: str | None = None,
    only: str | None = None,
    reference: str | None = None,
    register: str | None = None,
    probabilities: str | bool = False,
    uncertainty: str | None = None,
    model: str | None = None,
    device: str | None = None,
    overlap: str | None = None,
    amp: str | bool = False,
    max_memory: str | None = None,
    overwrite: str | bool = False,
    **scans: str,
) -> None:
    """Segment new scans from whatever modalities exist; the result lies in the grid of the reference scan.

    passion predict --bundle bundles/brats_passion --flair a.nii.gz --t1ce b.nii.gz -o out.nii.gz
    passion predict --bundle bundles/brats_passion --input FOLDER -o RESULTS

    A scan is NIfTI, NRRD, MetaImage or a folder with one DICOM series. Scans on different grids are resampled to the
    reference by what their headers say. Beside the label map, a JSON file says how it was made and what the subset of
    modalities can be trusted for.

    Args:
        bundle: folder of the bundle, or its inference.json.
        output: label map (.nii.gz or .nii) of one case, or a folder for a folder of cases.
        input: instead of one option a modality: a folder of cases (CASE_flair.nii.gz, ...), or one 4-D file.
        channels: modalities of the 4-D file in its order, as flair,t1ce,t1,t2.
        only: use this subset, as flair+t1.
        reference: modality whose grid the result has; by default the first of the bundle's order that a case has.
        register: "rigid" moves the other modalities onto the reference first (mutual information).
        probabilities: also write the class probabilities, a 4-D float32 file.
        uncertainty: also write a map between 0 and 1: "entropy", or "disagreement" among the modalities one by one.
        model: weights; by default models/model.pt of the bundle.
        device: as cpu or cuda:0; by default a GPU if there is one.
        overlap: of neighbouring windows, from 0 to below 1.
        amp: compute in bfloat16.
        max_memory: GB of main memory that may be used.
        overwrite: replace results that exist. Without it, a folder of cases goes on where a run was stopped.
        scans: a file or folder per modality, named as in the bundle.
    """
    rigid = _rigid(register)
    overrides: dict[str, Any] = {"probabilities": flag(probabilities), "uncertainty": _uncertainty(uncertainty)}
    overrides |= {} if device is None else {"device": _device(device)}
    overrides |= {} if overlap is None else {"overlap": _number("overlap", overlap, 1.0)}
    overrides |= {"amp": True} if flag(amp) else {}
    memory = None if max_memory is None else _number("max_memory", max_memory)
    opened = InferenceBundle(bundle, model, **overrides)
    requests = find_requests(scans, input, channels, only, opened.modalities, [*signature(predict).parameters][:-1])
    maps = [*(["probabilities"] if flag(probabilities) else []), *([uncertainty] if uncertainty else [])]
    single = bool(scans) or bool(channels)
    outputs = plan_outputs(output, [request.case for request in requests], single, maps)
    options = {"only": only, "uncertainty": uncertainty, "overlap": opened.overlap}
    options |= {"amp": flag(amp), "device": str(opened.device)}
    predict_scans(opened, requests, outputs, options, reference, rigid, memory, flag(overwrite), goes_on=not single)


def _rigid(register: str | None) -> bool:
    if register not in (None, "rigid", "none"):
        raise ValueError(f"--register {register}: {nearest(str(register), ['rigid', 'none'])}")
    return register == "rigid"


def _uncertainty(name: str | None) -> str | None:
    if name is not None and name not in UNCERTAINTIES:
        raise ValueError(f"--uncertainty {name}: {nearest(name, UNCERTAINTIES)}")
    return name


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"--device {name} cannot be used ({str(error).splitlines()[0]}); choose cpu or cuda"
        ) from error
    return device


def _number(name: str, text: str, below: float = float("inf")) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < below:
        bound = "" if below == float("inf") else f" and below {below:g}"
        raise ValueError(f"--{name} must be a number of at least 0{bound}, got {text!r}")
    return value
