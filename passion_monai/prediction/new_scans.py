"""`passion predict`: scans of whatever modalities exist in, label maps in the scans' own grids out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from passion_monai.data import subset_name
from passion_monai.prediction.one_grid import Harmonised, harmonised, read_request
from passion_monai.prediction.opened_bundle import InferenceBundle
from passion_monai.prediction.outputs import Outputs, is_finished, refuse_existing
from passion_monai.prediction.record import Prediction, Predictor, dice_line
from passion_monai.prediction.requests import Request
from passion_monai.reports.reliability_card import DEMO
from passion_monai.utils.errors import best_error, one_line
from passion_monai.utils.files import NotWrittenError
from passion_monai.utils.scratch import scratch_folder

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
    overwrite: bool = False,
    goes_on: bool = False,
) -> None:
    """Predict case after case, say what was done and write the record of each.

    A case of several that cannot be predicted is reported and the others go on; a full disk ends it.

    Args:
        bundle: opened; its model is loaded here.
        requests: the cases.
        outputs: their files, in the same order.
        options: what the record says about the choices made; of it ``only`` and ``uncertainty`` are used.
        reference: modality whose grid is kept; None means the first of the bundle's order that a case has.
        register: see `harmonised`.
        max_memory: GB.
        overwrite: replace results that are there.
        goes_on: results that a former run made in the same way from the same files are left and not made again.

    Raises:
        ValueError: when a case cannot be predicted; of several, after the last of them. Also when results are there
            that may not be replaced; then nothing is predicted.
        NotWrittenError: when the disk cannot take a result; nothing of that case is left.
    """
    predictor = Predictor(
        bundle.model,
        bundle.root,
        bundle.classes,
        bundle.labels,
        bundle.intended_for,
        options={**options, "reference": reference, "register": register},
        used_with=bundle.used_with,
    )
    if predictor.demo:
        print(DEMO, flush=True)
    left = list(zip(requests, outputs, strict=True))
    if not overwrite:
        left = _left_to_do(left, predictor, goes_on)
    bundle.load()
    failed = []
    for request, output in left:
        try:
            scans = read_request(request, bundle.modalities, bundle.spatial_dims, options["only"])
            if options["uncertainty"] == "disagreement" and len(scans) < 2:
                raise ValueError("disagreement needs two modalities, there is only one: choose --uncertainty entropy")
            case = harmonised(scans, bundle.modalities, reference, register)
            target = scans[case.reference]
            bundle.check_memory(target.shape, target.spacing, max_memory)
            prediction = _predict(bundle, predictor, request.case, case, output)
            _say(prediction, output.record)
        except Exception as error:
            best = best_error(error)
            if best is None or len(requests) == 1 or isinstance(best, NotWrittenError):
                raise
            failed.append(request.case)
            print(f"{request.case}: not predicted: {one_line(best)}", flush=True)
    if failed:
        raise ValueError(f"{len(failed)} of {len(requests)} cases were not predicted: {', '.join(failed)}")
    print(predictor.use)


def _predict(bundle: InferenceBundle, predictor: Predictor, name: str, case: Harmonised, output: Outputs) -> Prediction:
    """Predict one case and put its maps where they belong."""
    subset = subset_name([m in case.scans for m in bundle.modalities], bundle.modalities)
    with scratch_folder("passion_predict_") as scratch:
        bundle.predict({"case": CASE, **case.write(scratch)}, scratch)
        made = {postfix: scratch / f"{CASE}_{postfix}.nii.gz" for postfix in ("seg", *output.maps)}
        prediction = predictor.describe(
            name, subset, made["seg"], case.inputs, case.reference, output.labels, output.maps, case.warnings
        )
        output.collect(made, prediction.record)
    return prediction


def _left_to_do(
    cases: Sequence[tuple[Request, Outputs]], predictor: Predictor, goes_on: bool
) -> list[tuple[Request, Outputs]]:
    """The cases without those that a former run finished, which are counted.

    Raises:
        ValueError: when something else is there already.
    """
    done = [is_finished(output, predictor.facts, request.files) if goes_on else False for request, output in cases]
    refuse_existing([output for (_, output), finished in zip(cases, done, strict=True) if finished is False])
    if any(done):
        print(f"{done.count(True)} of {len(cases)} cases are there already, made in the same way: not made again")
    return [one for one, finished in zip(cases, done, strict=True) if not finished]


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
    if record["reliability"] is not None and not record["reliability"]["synthetic"]:
        print(f"  Dice of {subset} on {record['reliability']['data']}: {dice_line(record['reliability'])}")
    for text in record["warnings"]:
        if text != DEMO:  # the first line
            print(f"  warning: {text}")
    print(f"  record: {written}", flush=True)
