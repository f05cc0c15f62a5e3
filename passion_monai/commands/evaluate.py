"""`passion evaluate`: scores of label maps, or of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow

from passion_monai.reports.page.writing import write_tables
from passion_monai.reports.run_folders import find_runs
from passion_monai.scoring.label_values import Coding, bundle_coding
from passion_monai.scoring.score_label_maps import score_label_maps
from passion_monai.utils.errors import best_error
from passion_monai.utils.files import read_json_object
from passion_monai.utils.messages import names_of, nearest, option_value

__all__ = ["evaluate"]


def evaluate(
    predictions: str | None = None,
    references: str | None = None,
    bundle: str | None = None,
    regions: Any = None,
    modalities: str | None = None,
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
        names = None if modalities is None else names_of(modalities)
        named = {"eval_dir": eval_dir, "regions": regions, "modalities": names}
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


def _coding(bundle: str | None, regions: Any, modalities: str | None) -> Coding:
    if regions is None:
        if bundle is None:
            raise ValueError("name a --bundle or --regions: what labels mean is not in the files")
        return bundle_coding(str(bundle))
    if not isinstance(regions, Mapping) or not all(isinstance(m, (list, tuple)) and m for m in regions.values()):
        raise ValueError(
            f"--regions must name lists of labels, such as {{'WT': [1, 2, 3], 'ET': [3]}}, got {regions!r}"
        )
    return Coding(names_of(modalities or "all"), {str(n): [int(label) for label in m] for n, m in regions.items()})


def _evaluate_model(bundle: str | None, options: Mapping[str, Any]) -> None:
    if bundle is None:
        raise ValueError("name what to score: --predictions and --references, or a trained --bundle")
    configs = Path(str(bundle)) / "configs"
    files = [configs / "train.json", configs / "evaluate.json"]
    known: dict[str, Any] = {}
    for path in files:
        if not path.is_file():
            raise FileNotFoundError(f"{bundle} is no bundle of this package: it has no {path}")
        known |= read_json_object(path)
    for name in options:
        if name.split("#")[0] not in known:
            raise ValueError(f"unknown option --{name}: {nearest(name, known)}")
    options = {name: option_value(name, word) for name, word in options.items()}
    facts = {"meta_file": str(configs / "metadata.json"), "logging_file": str(configs / "logging.conf")}
    workflow = ConfigWorkflow([str(path) for path in files], **facts, workflow_type="train", **options)
    try:
        workflow.initialize()
        workflow.run()
    except RuntimeError as error:  # a mistake in the input lies below what the config machinery says
        best = best_error(error)
        if best is None:
            raise
        raise best from None
    workflow.finalize()
