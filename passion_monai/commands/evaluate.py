"""`passion evaluate`: scores of label maps, or of a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow

from passion_monai.reports.page.writing import write_tables
from passion_monai.reports.run_folders import find_runs
from passion_monai.scoring.coding import Coding, bundle_coding
from passion_monai.scoring.score_label_maps import score_label_maps
from passion_monai.utils.messages import nearest

__all__ = ["evaluate"]


def evaluate(
    predictions: str | None = None,
    references: str | None = None,
    bundle: str | None = None,
    regions: Any = None,
    modalities: Any = None,
    output: str | None = None,
    **options: Any,
) -> None:
    """Score label maps against references, or a trained model on every modality subset.

    Label maps: passion evaluate --predictions DIR --references DIR --bundle bundles/brats_passion. What a prediction
    was made from says the JSON record of passion predict beside it; without one it is called CASE_seg.nii.gz (from all
    modalities), CASE_flair+t1_seg.nii.gz, or lies in a folder named flair+t1. A case without a prediction counts as a
    failure.

    A model: passion evaluate --bundle bundles/brats_passion --dataset_dir DIR. Scores the test cases, else the
    validation cases; every other option goes to the bundle's train.json and evaluate.json (--ckpt_path, --section).

    Args:
        predictions: folder of predicted label maps.
        references: data folder in any layout that training reads, folder of label maps, or data list (JSON).
        bundle: folder of the bundle that says what labels, regions and modalities are. Its config is code that is
            executed, as by passion predict. Name one that you trust.
        regions: instead of a bundle, such as "{'WT': [1, 2, 3], 'ET': [3]}"; labels are taken as they are.
        modalities: names for subsets in file names, when there is no bundle.
        output: folder for eval/scores.csv, tables as CSV, Markdown and LaTeX; `passion report` takes it as a run.
            Default: the folder evaluation for label maps, the bundle for a model.
        options: of the bundle's configs, for a model.
    """
    if (predictions is None) != (references is None):
        given, lacking = ("predictions", "references") if predictions is not None else ("references", "predictions")
        raise ValueError(f"--{given} is given without --{lacking}: label maps are scored against references")
    if predictions is None:
        eval_dir = None if output is None else str(Path(str(output)) / "eval")
        named = {"eval_dir": eval_dir, "regions": regions, "modalities": modalities}
        _evaluate_model(bundle, {**{key: value for key, value in named.items() if value is not None}, **options})
        return
    if options:
        raise ValueError(f"options that label maps do not have: {', '.join(f'--{name}' for name in options)}")
    folder = Path(str(output or "evaluation"))
    table = score_label_maps(str(predictions), str(references), folder, _coding(bundle, regions, modalities))
    print(table.to_text())
    failed = int(table.failed().sum()) // len(table.regions)
    if failed:
        print(f"{failed} predictions were not there: scored as failures")
    written = write_tables(find_runs([folder]), folder / "eval" / "tables")
    print(f"\n{folder / 'eval' / 'scores.csv'}\n{len(written)} tables in {written[0].parent}")


def _coding(bundle: str | None, regions: Any, modalities: Any) -> Coding:
    if regions is None:
        if bundle is None:
            raise ValueError("name a --bundle or --regions: what labels mean is not in the files")
        return bundle_coding(str(bundle))
    if not isinstance(regions, Mapping) or not all(isinstance(m, (list, tuple)) and m for m in regions.values()):
        raise ValueError(
            f"--regions must name lists of labels, such as {{'WT': [1, 2, 3], 'ET': [3]}}, got {regions!r}"
        )
    names = [modalities] if isinstance(modalities, str) else list(modalities or ["all"])
    return Coding([str(name) for name in names], {str(n): [int(label) for label in m] for n, m in regions.items()})


def _evaluate_model(bundle: str | None, options: Mapping[str, Any]) -> None:
    if bundle is None:
        raise ValueError("name what to score: --predictions and --references, or a trained --bundle")
    configs = Path(str(bundle)) / "configs"
    files = [configs / "train.json", configs / "evaluate.json"]
    known: set[str] = set()
    for path in files:
        if not path.is_file():
            raise FileNotFoundError(f"{bundle} is no bundle of this package: it has no {path}")
        known |= json.loads(path.read_text(encoding="utf-8")).keys()
    for name in options:
        if name.split("#")[0] not in known:
            raise ValueError(f"unknown option --{name}: {nearest(name, known)}")
    facts = {"meta_file": str(configs / "metadata.json"), "logging_file": str(configs / "logging.conf")}
    workflow = ConfigWorkflow([str(path) for path in files], **facts, workflow_type="train", **options)
    try:
        workflow.initialize()
        workflow.run()
    except RuntimeError as error:  # a mistake in the input lies at the bottom of what the config machinery says
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, (ValueError, TypeError, FileNotFoundError)):
            raise cause from None
        raise
    workflow.finalize()
