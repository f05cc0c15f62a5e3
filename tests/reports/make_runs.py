"""Output folders as trainings leave them, with random scores: what the report is made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from passion_monai.reports.kept_cases import cut_slices, save_case
from passion_monai.scoring.evaluation_files import save_facts
from tests.metrics.make import MODALITIES, random_table, tumour

CLASSES = ["background", "NCR", "ED", "ET"]


def make_run(
    folder: Path, method: str = "passion", seed: int = 0, cases: int = 6, rates=(0.2, 0.4, 0.6, 0.8), gain: float = 0.0
) -> Path:
    """A finished run with histories and slices of two cases."""
    settings = {"method": method, "backbone": "mmformer", "variant": "paper", "modalities": MODALITIES, "epochs": 2}
    settings |= {"seed": seed, "missing_rates": list(rates), "data": "brain phantom", "demo": True}
    write(folder / "models" / "training.json", json.dumps(settings))
    evaluation = folder / "eval"
    table = random_table(cases, seed=seed, gain=gain)
    table.to_csv(evaluation / "scores.csv")
    write(evaluation / "losses.csv", "epoch,loss,seg\n1,2.5,2.0\n2,1.5,1.2\n")
    names = ",".join(f"rp_{name}" for name in MODALITIES)
    write(evaluation / "preference.csv", f"epoch,{names}\n1,0.1,0.2,-0.1,-0.2\n2,0.2,0.1,-0.2,-0.1\n")
    excluded = {"case_x": "no label"}
    save_facts(evaluation, {"data": "brain phantom", "classes": CLASSES, "cases": cases, "excluded": excluded})
    for shift, case in enumerate(table.cases[:2]):
        save_slices(evaluation / "cases", case, table.subsets, shift)
    return folder


def save_slices(folder: Path, case: str, subsets, shift: int) -> None:
    truth = tumour((24, 20, 9), shift=shift)
    grey = np.random.default_rng(shift).normal(2, 0.3, truth.shape) + truth
    maps = {subset: np.roll(truth, i % 4, axis=0) for i, subset in enumerate(subsets)}
    save_case(cut_slices(case, dict.fromkeys(MODALITIES, grey), truth, maps, (1.0, 1.0, 2.0)), folder)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
