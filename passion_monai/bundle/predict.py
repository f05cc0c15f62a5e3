"""Inference of a bundle: which scans, with which modalities, into which files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Events
from monai.engines import SupervisedEvaluator

from passion_monai.data import brats_cases, load_data_list, parse_subset
from passion_monai.handlers import load_weights

from .record import Facts, label_volumes, model_facts, trust, write_record

__all__ = ["cases_to_predict", "predict"]

logger = logging.getLogger(__name__)


def cases_to_predict(
    dataset_dir: str | None,
    modalities: Sequence[str],
    data_list_file_path: str | None = None,
    only: str | None = None,
    section: str = "test",
) -> list[dict[str, Any]]:
    """The scans of a folder or of a data list, without labels.

    Args:
        dataset_dir: folder of cases, or the folder that relative paths of the data list start from.
        modalities: names in channel order.
        data_list_file_path: JSON data list.
        only: use this subset alone, as ``flair+t1``; the files of other modalities are not opened.
        section: of the data list.

    Raises:
        ValueError: when neither folder nor list is given, two cases share a name, or a case lacks all of ``only``.
    """
    if data_list_file_path is not None:
        items = load_data_list(data_list_file_path, dataset_dir or ".", modalities, section)
    elif dataset_dir is not None:
        items = brats_cases(dataset_dir, modalities)
    else:
        raise ValueError("no scans given: name a folder with --dataset_dir or a data list with --data_list_file_path")
    twice = [case for case, count in Counter(item["case"] for item in items).items() if count > 1]
    if twice:
        raise ValueError(f"cases with the same name would overwrite each other's result: {twice[:5]}. Rename them")
    kept = set(modalities)
    if only is not None:
        row = parse_subset(only, modalities).tolist()
        kept = {name for name, wanted in zip(modalities, row, strict=True) if wanted}
    found = []
    for item in items:
        names = [name for name in modalities if name in kept and item.get(name) is not None]
        if not names:
            raise ValueError(f"case {item['case']} has none of {sorted(kept)}: leave it out, or choose another --only")
        found.append({"case": item["case"], **{name: item[name] for name in names}})
    return found


def predict(
    evaluator: SupervisedEvaluator,
    cases: Sequence[dict[str, Any]],
    model: str | Path,
    output_dir: str | Path,
    postfix: str,
    modalities: Sequence[str],
    overwrite: bool = False,
    record: Facts | None = None,
) -> list[Path]:
    """Predict every case and list what was written.

    Args:
        evaluator: predicts and writes; its network gets the weights.
        cases: `cases_to_predict`.
        model: the weights.
        output_dir: ``<case>_<postfix>.nii.gz`` and a JSON file of the same name, see `record.write_record`.
        postfix: of the label maps.
        modalities: names in channel order.
        overwrite: replace results that are there.
        record: ``bundle_root``, ``classes``, ``labels`` and ``intended_for``; None writes no JSON file.

    Raises:
        ValueError: when a result is already there and ``overwrite`` is off; nothing is predicted then.
    """
    paths = [Path(output_dir) / f"{item['case']}_{postfix}.nii.gz" for item in cases]
    there = [str(path) for path in paths if path.exists()]
    if there and not overwrite:
        raise ValueError(
            f"{len(there)} of {len(paths)} results exist already, for example {there[0]}: "
            f"choose another --output_dir, or replace them with --overwrite true"
        )
    load_weights(evaluator.network, model)
    facts = None if record is None else model_facts(model, record["bundle_root"])

    def report(engine: Any) -> None:
        n = engine.state.iteration - 1
        used = "+".join(name for name in modalities if name in cases[n])
        logger.info(f"{n + 1}/{len(cases)} {cases[n]['case']} from {used} -> {paths[n]}")
        if record is not None and facts is not None:
            row, warnings = trust(model, used)
            volumes = label_volumes(paths[n], record["classes"], record["labels"])
            known = {"case": cases[n]["case"], "output": str(paths[n].absolute()), "volumes_ml": volumes}
            known |= {
                "modalities": used.split("+"),
                "inputs": {name: {"file": cases[n][name]} for name in used.split("+")},
            }
            known |= {**facts, "intended_for": record["intended_for"], "reliability": row, "warnings": warnings}
            write_record(paths[n].with_name(f"{cases[n]['case']}_{postfix}.json"), known)
            for text in warnings:
                logger.warning(f"{cases[n]['case']}: {text}")

    evaluator.add_event_handler(Events.ITERATION_COMPLETED, report)
    evaluator.run()
    return paths
