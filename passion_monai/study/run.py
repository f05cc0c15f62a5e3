"""One run of a study: its settings, its folder, and what that folder says about how far it came."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passion_monai.utils.files import whole_file

__all__ = ["RunFolder", "StudyRun", "folder_name"]


def folder_name(fact: str) -> str:
    """A name of an axis as a part of a file's name.

    Example:
        >>> folder_name("s,m,l"), folder_name("passion (reference)"), folder_name("../x")
        ('sml', 'passion-reference', 'x')
    """
    return re.sub(r"[^A-Za-z0-9.+]+", "-", fact.replace(",", "")).strip("-.") or "-"


@dataclass(frozen=True)
class StudyRun:
    """A training and evaluation with the bundle.

    Attributes:
        study: the study's name.
        dataset: name of the data for tables, such as ``brain phantom``.
        facts: axis to chosen name, such as ``{"rates": "s,m,l", "method": "passion"}``.
        seed: of masks, weights and sampling. Runs that differ in the method alone get the same masks.
        configs: the bundle's training config and the study's own.
        overrides: of single ids, on top of them.
    """

    study: str
    dataset: str
    facts: Mapping[str, str]
    seed: int
    configs: tuple[Path, ...]
    overrides: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the run and of its folder.

        Example:
            >>> StudyRun("study", "phantom", {"rates": "s,m,l", "method": "passion (reference)"}, 0, (), {}).name
            'sml_passion-reference_seed0'
        """
        words = [folder_name(fact) for fact in self.facts.values()]
        return "_".join([*words, f"seed{self.seed}"])

    @property
    def settings(self) -> dict[str, Any]:
        """The ids that differ from the configs, as the bundle is given them."""
        return {**self.overrides, "seed": self.seed}

    @property
    def fingerprint(self) -> str:
        """Hash of everything in the study's hands that decides the scores: bundle's name, extra configs, overrides."""
        extra = [path.read_text(encoding="utf-8") for path in self.configs[1:]]
        facts = [self.configs[0].parents[1].name, extra, self.settings]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


class RunFolder:
    """Files of a run: ``run.json`` (what it is, how it ended; written last), ``settings.json``, ``log.txt``, ``eval``.

    Args:
        root: of the study.
        run: which one.
    """

    def __init__(self, root: str | Path, run: StudyRun) -> None:
        self.run = run
        self.path = Path(root) / run.name

    @property
    def log(self) -> Path:
        """What the bundle said; a run that is resumed goes on writing there."""
        return self.path / "log.txt"

    @property
    def settings(self) -> Path:
        """Config file with what differs from the other configs."""
        return self.path / "settings.json"

    @property
    def scores(self) -> Path:
        """One row per case, subset and region."""
        return self.path / "eval" / "scores.csv"

    @property
    def checkpoint(self) -> Path:
        """What an interrupted run goes on from."""
        return self.path / "models" / "checkpoint.pt"

    def record(self) -> dict[str, Any]:
        """What ``run.json`` says, empty when there is none or it cannot be read."""
        try:
            found = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def status(self) -> str:
        """``waiting``, ``running``, ``stopped``, ``failed`` or ``finished``.

        Raises:
            ValueError: when the folder holds a run with other settings.
        """
        record = self.record()
        if record and record.get("fingerprint") != self.run.fingerprint:
            raise ValueError(
                f"{self.path} holds a run with other settings: the study was changed since. Choose another --output, "
                f"or delete that folder to run it again"
            )
        if record.get("status") == "finished" and not self.scores.is_file():
            return "waiting"
        return str(record.get("status", "waiting"))

    def write(self, status: str, **facts: Any) -> None:
        """Write ``run.json``, in one step."""
        record = {
            "study": self.run.study,
            "row": self.run.name.rsplit("_", 1)[0],
            "dataset": self.run.dataset,
            **self.run.facts,
            "seed": self.run.seed,
            "status": status,
            "fingerprint": self.run.fingerprint,
            "settings": self.run.settings,
            **facts,
        }
        with whole_file(self.path / "run.json") as draft:
            draft.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
