"""Scores a network on every modality subset of every case, in one pass over the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ignite.metrics import Metric
from monai.data import MetaTensor
from monai.engines import PrepareBatchExtraInput, SupervisedEvaluator
from monai.utils.enums import CommonKeys as Keys
from torch import Tensor

from passion_monai.data import subset_name
from passion_monai.engines.inferers import SubsetInferer
from passion_monai.metrics import SubsetTable, score_case
from passion_monai.metrics.statistics import nan_mean

__all__ = ["SubsetEvaluator", "SubsetScores"]


class SubsetScores(Metric):
    """Per-case scores of every subset and region as an ignite metric; its value is the mean Dice over all of them.

    The table of the finished run stays in ``table`` (rows of all ranks).

    Args:
        modalities: names in channel order.
        regions: region name to the class indices it unites, e.g. ``{"WT": (1, 2, 3)}``.
        subsets: ``(S, M)`` bool, in the order of the inferer's label maps.
        distances: also compute HD95, in mm (off while training: it costs more than the prediction of small volumes).
    """

    def __init__(
        self,
        modalities: Sequence[str],
        regions: Mapping[str, Sequence[int]],
        subsets: Tensor,
        distances: bool = True,
    ) -> None:
        self.modalities, self.regions, self.subsets = list(modalities), dict(regions), subsets
        self.names = [subset_name(row, self.modalities) for row in subsets]
        self.distances = distances
        self.table = SubsetTable(self.modalities, list(self.regions))
        super().__init__()

    def reset(self) -> None:
        """Forget the rows of an earlier run."""
        self.table = SubsetTable(self.modalities, list(self.regions))

    def iteration_completed(self, engine: Any) -> None:
        """Score the batch that the engine has just predicted."""
        output, batch = engine.state.output, engine.state.batch
        for b, case in enumerate(batch["case"]):
            label = output[Keys.LABEL][b]
            self.update((case, output[Keys.PRED][b], label, batch["available"][b], _spacing(label)))

    def update(self, output: Any) -> None:
        """Add one case: (name, label maps (S, *S), reference (1, *S), available (M,), spacing in mm)."""
        case, predictions, reference, available, spacing = output
        reference = torch.as_tensor(reference)[0].cpu().numpy()
        for name, subset, labels in zip(self.names, self.subsets, predictions.cpu(), strict=True):
            if not bool((subset & ~available.cpu()).any()):
                scores = score_case(labels.numpy(), reference, self.regions, spacing, distances=self.distances)
                self.table.add(case, name, scores)

    def compute(self) -> float:
        """Mean Dice over subsets and regions of the mean over cases, of the rows of all ranks."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            gathered: list[Any] = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(gathered, self.table.rows)
            self.table = SubsetTable(self.modalities, list(self.regions))
            for rows in gathered:
                self.table.extend(rows)
        return nan_mean(self.table.averages("dice").tolist())


class SubsetEvaluator(SupervisedEvaluator):
    """MONAI's evaluator over all modality subsets: ``state.output["pred"]`` holds label maps ``(B, S, *S)``.

    The key metric is ``val_mean_dice``, the mean Dice over all subsets and regions; `scores` holds the whole table.

    Args:
        network: the backbone (not the training view).
        inferer: a `SubsetInferer`.
        modalities: names in channel order.
        regions: region name to the class indices it unites.
        distances: also compute HD95.
        kwargs: everything else of `monai.engines.SupervisedEvaluator`.
    """

    def __init__(
        self,
        device: torch.device,
        val_data_loader: Any,
        network: torch.nn.Module,
        inferer: SubsetInferer,
        modalities: Sequence[str],
        regions: Mapping[str, Sequence[int]],
        distances: bool = False,
        available_key: str = "available",
        **kwargs: Any,
    ) -> None:
        self.scores = SubsetScores(modalities, regions, inferer.rows(len(modalities)), distances)
        super().__init__(
            device=device,
            val_data_loader=val_data_loader,
            network=network,
            inferer=inferer,
            prepare_batch=PrepareBatchExtraInput(available_key),
            key_val_metric={"val_mean_dice": self.scores},
            decollate=False,
            **kwargs,
        )


def _spacing(label: Tensor) -> tuple[float, ...]:
    """Voxel size in mm from the affine that the reader kept; 1 mm when there is none."""
    dims = label.ndim - 1
    if isinstance(label, MetaTensor):
        return tuple(float(s) for s in label.pixdim[:dims])
    return (1.0,) * dims
