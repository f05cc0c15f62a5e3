"""`passion predict`: scans of whatever modalities exist in, label maps in the scans' own grids out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from passion_monai.data import subset_name
from passion_monai.prediction.one_grid import Harmonised, harmonised, read_request
from passion_monai.prediction.opened_bundle import InferenceBundle
from passion_monai.prediction.outputs import Outputs
from passion_monai.prediction.record import USE, Prediction, Predictor, dice_line
from passion_monai.prediction.requests import Request

__all__ = ["predict_scans"]

CASE = "case"  # name of the only case in a scratch folder


def predict_scans(
    bundle: InferenceBundle,
    requests: Sequence[Request],
    outputs: Sequence[Outputs],
    options: Mapping[str, Any],
    reference: str | None = None,
    register: bool = False,
    max_memory: float | None = None,
) -> None:
    """Predict case after case, say what was done and write the record of each.

    A case of several that cannot be predicted is reported and the others go on.

    Args:
        bundle: opened; its model is loaded here.
        requests: the cases.
        outputs: their files, in the same order.
        options: what the record says about the choices made; of it ``only`` and ``uncertainty`` are used.
        reference: modality whose grid is kept; None means the first of the bundle's order that a case has.
        register: see `harmonised`.
        max_memory: GB.

    Raises:
        ValueError: when a case cannot be predicted; of several, after the last of them.
    """
    bundle.load()
    predictor = Predictor(
        bundle.model, bundle.root, bundle.classes, bundle.labels, bundle.intended_for, options=options
    )
    failed = []
    for request, output in zip(requests, outputs, strict=True):
        try:
            scans = read_request(request, bundle.modalities, bundle.spatial_dims, options["only"])
            if options["uncertainty"] == "disagreement" and len(scans) < 2:
                raise ValueError("disagreement needs two modalities, there is only one: choose --uncertainty entropy")
            case = harmonised(scans, bundle.modalities, reference, register)
            target = scans[case.reference]
            bundle.check_memory(target.shape, target.spacing, max_memory)
            prediction = _predict(bundle, predictor, request.case, case, output)
            prediction.write(output.record)
            _say(prediction, output.record)
        except (ValueError, FileNotFoundError) as error:
            if len(requests) == 1:
                raise
            failed.append(request.case)
            print(f"{request.case}: not predicted: {error}", flush=True)
    if failed:
        raise ValueError(f"{len(failed)} of {len(requests)} cases were not predicted: {', '.join(failed)}")
    print(f"Made for {bundle.intended_for}. {USE}" if bundle.intended_for else USE)


def _predict(bundle: InferenceBundle, predictor: Predictor, name: str, case: Harmonised, output: Outputs) -> Prediction:
    """Predict one case and put its maps where they belong."""
    subset = subset_name([m in case.scans for m in bundle.modalities], bundle.modalities)
    with tempfile.TemporaryDirectory(prefix="passion_") as scratch:
        bundle.predict({"case": CASE, **case.write(Path(scratch))}, Path(scratch))
        labels = Path(scratch) / f"{CASE}_seg.nii.gz"
        prediction = predictor.describe(
            name, subset, labels, case.inputs, case.reference, output.labels, output.maps, case.warnings
        )
        output.collect(Path(scratch), CASE)
    return prediction


def _say(prediction: Prediction, written: Path) -> None:
    record, subset = prediction.facts, prediction.subset
    print(f"{prediction.case} from {subset} -> {record['output']}")
    for name, scan in record["inputs"].items():
        moved = scan["registration"]
        said = [f"{' x '.join(map(str, scan['shape']))} voxels of {' x '.join(map(str, scan['spacing_mm']))} mm"]
        said += [f"moved by {moved['translation_mm']:.1f} mm, {moved['rotation_degrees']:.1f} degrees"] if moved else []
        said += ["the reference"] if name == record["reference"] else []
        said += [f"resampled to {record['reference']}"] if scan["resampled"] else []
        print(f"  {name}: {', '.join(said)}")
    print(f"  volumes: {', '.join(f'{name} {volume:g} ml' for name, volume in record['volumes_ml'].items())}")
    if record["reliability"] is not None:
        print(f"  Dice of {subset} on {record['reliability']['data']}: {dice_line(record['reliability'])}")
    for text in record["warnings"]:
        print(f"  warning: {text}")
    print(f"  record: {written}", flush=True)
