"""`passion split`: training, validation and test cases by patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from passion_monai.data.cases.split_files import SplitPlan, write_split
from passion_monai.scoring.label_values import bundle_coding
from passion_monai.utils.messages import names_of

__all__ = ["split"]


def split(
    data: str,
    output: str,
    fractions: Any = (0.7, 0.1, 0.2),
    seed: int = 0,
    missing_rates: Any = None,
    folds: int | None = None,
    modalities: str | None = None,
    bundle: str | None = None,
    patient: str | None = None,
    dataset_dir: str | None = None,
    overwrite: bool = False,
) -> None:
    """Draw training, validation and test cases, by patient, into data lists that train.json takes.

    Args:
        data: folder of cases or a data list (JSON), see passion audit; all its sections are pooled.
        output: folder (-o) for data_list.json (or data_list_fold0.json, ...), availability tables and split.json.
        fractions: of patients for training, validation and test; two of them leave no test cases.
        seed: of the draws.
        missing_rates: a rate per modality in their order, .2,.4,.6,.8, or {t1: .2}; several in brackets [[...],[...]].
        folds: number of folds; training and validation fractions are then shared out among them.
        modalities: names in channel order; default: the bundle's, or what files are named after.
        bundle: folder of the bundle that will be trained; the rates are then in the order of its modalities. Its config
            is code that is executed, as by passion predict. Name one that you trust.
        patient: regular expression for the patient in a case's name; time points of one patient stay together.
        dataset_dir: what relative paths of a data list start from; default: the list's own folder.
        overwrite: replace the files of an earlier split.
    """
    names = None if modalities is None else names_of(modalities)
    if bundle is not None and names is None:
        names = list(bundle_coding(str(bundle)).modalities)
    plan = SplitPlan(
        fractions=_numbers(fractions),
        seed=seed,
        folds=folds,
        rates=_settings(missing_rates),
        patient=None if patient is None else str(patient),
    )
    root = None if dataset_dir is None else str(dataset_dir)
    print(write_split(str(data), Path(str(output)), plan, names, root, overwrite))


def _numbers(value: Any) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in (value if isinstance(value, (list, tuple)) else str(value).split(",")))
    except (TypeError, ValueError):
        raise ValueError(f"--fractions takes numbers such as .7,.1,.2, got {value!r}") from None


def _settings(value: Any) -> list[Any]:
    """One setting or several, as a list of settings."""
    if value is None:
        return []
    several = isinstance(value, Sequence) and not isinstance(value, str)
    nested = several and any(isinstance(part, (list, tuple, Mapping)) for part in value)
    return list(value) if nested else [value]
