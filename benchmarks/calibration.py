"""Is the model as sure as it should be, and does its uncertainty find its errors? Per modality subset.

    python benchmarks/calibration.py --bundle B --cases B/data/brain-3d-*/validation

For a model of the main job of bundle B (``python -m monai.bundle run training --config_file ...``). Voxels of all
cases are pooled: all of the brain (where some image is not 0), and those where label or prediction is a lesion. `bias`
is confidence minus accuracy, above 0 overconfident; AUROC is how well an uncertainty ranks wrong voxels above others.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import torch

from passion_monai.data import MapLabelsd, all_subsets, brats_cases, subset_name
from passion_monai.metrics import entropy
from passion_monai.metrics.calibration import brier_score, error_detection_auroc, reliability_curve
from passion_monai.prediction.opened_bundle import InferenceBundle

COLUMNS = ("subset", "wrong", "ece", "bias", "brier", "lesion_wrong", "lesion_ece", "lesion_bias")
COLUMNS += ("auroc_entropy", "auroc_disagreement", "lesion_auroc_entropy", "lesion_auroc_disagreement")


def predicted(bundle: InferenceBundle, item: dict) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Probabilities (N, K), disagreement (N,) and classes (N,) of the brain's voxels."""
    data = bundle.parser.get_parsed_content("preprocessing")(item)
    label = MapLabelsd("label")(data)["label"].as_tensor()[0]
    with torch.no_grad():
        output = bundle.inferer(data["image"][None], bundle.network)[0]
    image = data["image"].as_tensor().nan_to_num()
    assert label.shape == output.shape[1:], "the cases must have the spacing the model was trained with"
    brain = (image != 0).any(dim=0)
    voxels = output[:, brain].T
    return voxels[:, :-1], voxels[:, -1], label[brain].long()


def measured(probabilities: torch.Tensor, disagreement: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    """The numbers of a table's row."""
    lesion = (target > 0) | (probabilities.argmax(dim=1) > 0)
    row = {"brier": brier_score(probabilities, target)}
    for name, part in (("", torch.ones_like(lesion)), ("lesion_", lesion)):
        p, t = probabilities[part], target[part]
        wrong = p.argmax(dim=1) != t
        curve = reliability_curve(p, t)
        row |= {
            f"{name}wrong": float(wrong.float().mean()),
            f"{name}ece": curve.expected_error,
            f"{name}bias": curve.bias,
        }
        row[f"{name}auroc_entropy"] = error_detection_auroc(entropy(p).numpy(), wrong.numpy())
        row[f"{name}auroc_disagreement"] = error_detection_auroc(disagreement[part].numpy(), wrong.numpy())
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--model")
    parser.add_argument("--cases", required=True, help="folder with labels")
    parser.add_argument("--output", help="CSV")
    arguments = parser.parse_args()
    bundle = InferenceBundle(arguments.bundle, arguments.model, uncertainty="disagreement", device=torch.device("cpu"))
    bundle.load()
    items = brats_cases(arguments.cases, bundle.modalities)
    rows = []
    print(
        "".join(f"{name.replace('_', ' '):>{max(len(name), 18 if not i else 6) + 2}}" for i, name in enumerate(COLUMNS))
    )
    for presence in all_subsets(len(bundle.modalities)):
        kept = [name for name, present in zip(bundle.modalities, presence, strict=True) if present]
        cases = [{key: item[key] for key in ("case", "label", *kept)} for item in items]
        parts = [predicted(bundle, case) for case in cases]
        numbers = measured(*(torch.cat(part) for part in zip(*parts, strict=True)))
        rows.append({"subset": subset_name(presence, bundle.modalities), **numbers})
        if len(kept) == 1:
            rows[-1] |= {"auroc_disagreement": float("nan"), "lesion_auroc_disagreement": float("nan")}
        print(
            f"{rows[-1]['subset']:>20}" + "".join(f"{rows[-1][c]:>{max(len(c), 6) + 2}.3f}" for c in COLUMNS[1:]),
            flush=True,
        )
    if arguments.output:
        with Path(arguments.output).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
