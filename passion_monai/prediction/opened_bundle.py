"""A bundle's inference.json, opened for one case after the other.

`monai.bundle run` does the same for a folder of cases; here a case can fail without the others, nothing is written
before it is whole, and the scans need not be files that the bundle's loader understands.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser

from passion_monai.checkpoints import check_model, load_weights, reading_choices
from passion_monai.engines.windows import check_window
from passion_monai.utils.errors import best_error
from passion_monai.utils.messages import nearest

__all__ = ["InferenceBundle"]


class InferenceBundle:
    """Network, preprocessing, inferer and postprocessing of a bundle; the model is loaded by `load`.

    Args:
        folder: the bundle, or its ``configs/inference.json``.
        model: the weights; None means the bundle's own ``models/model.pt``.
        overrides: ids of inference.json and their values.

    Raises:
        FileNotFoundError: when there is no inference.json, or no model.
        ValueError: when the config has no such id, or the model is of other modalities or classes.
    """

    def __init__(self, folder: str | Path, model: str | Path | None = None, **overrides: Any) -> None:
        self.root, config = _locate(Path(folder).expanduser().absolute())
        self.parser = ConfigParser()
        self.parser.read_config(str(config))
        self.parser["bundle_root"] = str(self.root)
        if model is not None:
            self.parser["ckpt_path"] = str(Path(model).expanduser().absolute())
        known: Any = self.parser.config
        for name, value in overrides.items():
            if name not in known:
                raise ValueError(f"{config} has no option {name!r}: {nearest(name, known)}")
            self.parser[name] = value
        self.modalities: list[str] = list(self._parsed("modalities"))
        self.classes: list[str] = list(self._parsed("classes"))
        self.labels: list[int] = list(self._parsed("output_labels"))
        self.spatial_dims = int(self._parsed("spatial_dims"))
        self.device = self._parsed("device")
        self.overlap = known.get("overlap")
        self.intended_for = str(known.get("intended_for", ""))
        self.model = Path(self._parsed("ckpt_path"))
        self._check_model()

    def load(self) -> None:
        """Build the network and load its weights.

        Raises:
            ValueError: when the model is no checkpoint, or one of another architecture.
        """
        network = self._parsed("network")
        check_window(network, self._parsed("roi_size"))
        self.network = load_weights(network, self.model).eval()
        self.inferer = self._parsed("inferer")

    def predict(self, item: Mapping[str, Any], output_dir: Path) -> None:
        """Predict one case; the bundle's postprocessing writes ``<case>_seg.nii.gz`` and its companions.

        Args:
            item: ``case`` and a path per modality, all on one grid.
            output_dir: where to.
        """
        known: Any = self.parser.config
        for name in ("output_dir", "draft_dir"):
            if name in known:
                self.parser[name] = str(output_dir)
        preprocessing, postprocessing = self._parsed("preprocessing"), self._parsed("postprocessing")
        data = preprocessing(dict(item))
        with torch.no_grad():
            data["pred"] = self.inferer(data["image"][None].to(self.device), self.network)[0]
        postprocessing(data)

    def check_memory(self, shape: tuple[int, ...], spacing: list[float], limit: float | None) -> float:
        """How many GB a scan of this grid takes at most, beside the network's windows; before anything is computed.

        Windows are predicted one batch at a time and put together in main memory, so the peak is that of whole images:
        three copies of the input and of the probabilities in the network's grid, two and three in the scan's.

        Args:
            shape: of the reference scan.
            spacing: of it, mm.
            limit: GB; None means 0.8 of the free main memory, where the system tells.

        Raises:
            ValueError: when it is more than ``limit``.
        """
        wanted = [w if w > 0 else s for w, s in zip(self._parsed("spacing"), spacing, strict=True)]
        voxels = float(np.prod(shape))
        inside = voxels * float(np.prod(np.asarray(spacing) / np.asarray(wanted)))
        m, k = len(self.modalities), len(self.classes) + 1
        needed = 4e-9 * (3 * (m + k) * inside + (2 * m + 3 * k) * voxels)
        free = _free_gigabytes()
        limit = limit if limit is not None else None if free is None else 0.8 * free
        if limit is not None and needed > limit:
            raise ValueError(
                f"a scan of {' x '.join(map(str, shape))} voxels needs about {needed:.1f} GB, the limit is {limit:.1f} "
                f"GB: choose a modality with a coarser grid as --reference, or raise --max_memory"
            )
        return needed

    def _parsed(self, name: str) -> Any:
        try:
            return self.parser.get_parsed_content(name)
        except RuntimeError as error:  # MONAI's config machinery hides what a user can understand
            best = best_error(error)
            if best is None:
                raise
            raise best from error

    def _check_model(self) -> None:
        if not self.model.is_file():
            raise FileNotFoundError(
                f"the bundle {self.root} has no model, {self.model} does not exist: train one (python -m monai.bundle "
                f"run training --config_file {self.root}/configs/train.json --dataset_dir CASES), or name one: --model"
            )
        check_model(self.model, f"the bundle {self.root.name}", **self.used_with)

    @property
    def used_with(self) -> dict[str, Any]:
        """What a model must have been trained with, to be used here."""
        own = {"modalities": self.modalities, "classes": self.classes, "spatial_dims": self.spatial_dims}
        reading = reading_choices(self._parsed("preprocessing"))
        return {**own, "spacing": self._parsed("spacing"), "reading": reading}


def _locate(folder: Path) -> tuple[Path, Path]:
    """Root and inference config of a bundle."""
    if folder.is_file():
        return (folder.parent.parent if folder.parent.name == "configs" else folder.parent), folder
    config = folder / "configs" / "inference.json"
    if not config.is_file():
        raise FileNotFoundError(
            f"--bundle {folder} is no bundle: {config} does not exist. Name a folder such as bundles/brats_passion"
        )
    return folder, config


def _free_gigabytes() -> float | None:
    """Free main memory, page cache included; None where the system does not tell in Linux's way."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) * 1024e-9 for line in lines if line.startswith("MemAvailable:")), None)
