"""MONAI's stock trainer with a method's terms added by iteration hooks; `_iteration` is MONAI's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.engines import PrepareBatch, SupervisedTrainer, Workflow, default_prepare_batch
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys as Keys
from torch.amp import GradScaler
from torch.optim import Optimizer

from passion_monai.engines.readout import Readout
from passion_monai.losses import check_labels
from passion_monai.methods import Method
from passion_monai.networks.contract import on_host, runs_ahead

__all__ = ["IncompleteTrainer"]


class IncompleteTrainer(SupervisedTrainer):
    """Trains a `TrainingView` with any method: loss = L_seg (``loss_function``) + the method's terms.

    Two hooks do all there is. When the forward pass is done, its `TrainingOutput` is put aside and the fused decoding
    becomes the prediction, so that ``loss_function(decoded, label)`` is the segmentation loss alone. When that loss is
    done, the method's terms are added to it in float32. Logged by name, detached, in ``engine.state.terms``:
    ``loss`` (the total), ``seg`` (L_seg) and one entry a term; ``engine.state.readout`` brings the same to the host.

    On a GPU the host never waits for the device in a step: availability stays on the host, where labels are checked
    too, and batches are copied without waiting (let the loader pin its memory).

    Args:
        network: a `TrainingView`, bare or wrapped in DistributedDataParallel.
        method: the method that the view runs; its `end_epoch` is called by `MethodHandler`, not here.
        available_key: key of the ``(B, M)`` bool availability in the batch.
        scaler: for training in float16 on any device. It is the caller's, so that a checkpoint can hold its state;
            MONAI's own is made anew by every `run`. The precision of the forward pass is the view's ``autocast``.
        kwargs: everything else of `monai.engines.SupervisedTrainer`.
    """

    def __init__(
        self,
        device: torch.device | str,
        max_epochs: int,
        train_data_loader: Any,
        network: torch.nn.Module,
        optimizer: Optimizer,
        loss_function: torch.nn.Module,
        method: Method,
        available_key: str = "available",
        train_handlers: Sequence | None = None,
        decollate: bool = False,
        scaler: GradScaler | None = None,
        **kwargs: Any,
    ) -> None:
        if scaler is not None:
            kwargs |= {"amp": True, "amp_kwargs": {"enabled": False}}  # MONAI scales, the view casts
        super().__init__(
            device=device,
            non_blocking=kwargs.pop("non_blocking", True),
            optim_set_to_none=kwargs.pop("optim_set_to_none", True),
            max_epochs=max_epochs,
            train_data_loader=train_data_loader,
            network=network,
            optimizer=optimizer,
            loss_function=loss_function,
            prepare_batch=_PreparePlain(available_key, _num_classes(network)),
            decollate=decollate,
            **kwargs,
        )
        self.method = method
        self.given_scaler = scaler
        self.state.terms = {}
        self.add_event_handler(IterationEvents.FORWARD_COMPLETED, _predict_fused)
        self.add_event_handler(IterationEvents.LOSS_COMPLETED, _add_terms)
        self._register_handlers(train_handlers or [])

    def run(self) -> None:  # type: ignore[override]
        """Train up to ``max_epochs``, with the given scaler: MONAI's own `run` makes one that knows nothing."""
        if self.given_scaler is None:
            super().run()
        else:
            self.scaler = self.given_scaler  # type: ignore[assignment]
            Workflow.run(self)


class _PreparePlain(PrepareBatch):
    """Image and label on the device and availability on the host, all as plain tensors.

    A MetaTensor spreads through arithmetic into the method's buffers, and the checkpoint then no longer loads safely.

    Args:
        available_key: key of the availability.
        num_classes: checked before labels leave the host for a device that the host does not wait for; None: not.
    """

    def __init__(self, available_key: str, num_classes: int | None) -> None:
        self.available_key, self.num_classes = available_key, num_classes

    def __call__(
        self, batchdata: Any, device: str | torch.device | None = None, non_blocking: bool = False, **kwargs: Any
    ) -> Any:
        label = batchdata.get(Keys.LABEL)
        leaves = label is not None and label.device.type == "cpu" and runs_ahead(torch.device(device or "cpu"))
        if leaves and self.num_classes is not None:
            check_labels(label, self.num_classes)
        image, label = default_prepare_batch(batchdata, device, non_blocking, **kwargs)
        available = torch.as_tensor(batchdata[self.available_key])
        return _plain(image), _plain(label), (on_host(_plain(available)),), {}


def _num_classes(network: torch.nn.Module) -> int | None:
    """Of a view, bare or wrapped."""
    view = getattr(network, "module", network)
    return getattr(getattr(view, "backbone", None), "num_classes", None)


def _plain(tensor: Any) -> Any:
    return tensor.as_tensor() if isinstance(tensor, MetaTensor) else tensor


def _predict_fused(engine: Any) -> None:
    engine.state.training_output = engine.state.output[Keys.PRED]
    engine.state.output[Keys.PRED] = engine.state.training_output.fused


def _add_terms(engine: Any) -> None:
    output, batch = engine.state.training_output, engine.state.output
    with torch.autocast(engine.state.device.type, enabled=False):
        terms = engine.method.terms(output, batch[Keys.LABEL])
        total = batch[Keys.LOSS] + sum(terms.values())
    values = {"loss": total, "seg": batch[Keys.LOSS], **terms}
    engine.state.terms = {name: value.detach() for name, value in values.items()}
    engine.state.readout = Readout(engine.state.terms)
    batch[Keys.LOSS] = total
    batch[Keys.PRED] = output.fused.logits.detach()
    engine.state.training_output = None
