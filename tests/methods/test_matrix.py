"""Every method x every backbone x {PDT, IDT}: a few steps of training through the trainer."""

import pytest
import torch
from torch.utils.data import DataLoader

from passion_monai.engines import IncompleteTrainer, TrainingView
from passion_monai.handlers import FiniteLoss, MethodHandler
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import PMR, Baseline, ModDrop, Passion, SubsetDistillation
from tests.networks.test_contract import BACKBONES, K

M, STEPS = 3, 3
IDT = torch.tensor([[True, True, False], [True, False, True]])
PDT = torch.ones_like(IDT)
SETTINGS = {"IDT": (IDT, "as_available", [0.0, 0.5, 0.5]), "PDT": (PDT, "random_subset", [0.0] * 3)}
METHODS = {
    "baseline": lambda sampling, rates: Baseline(M, sampling),
    "moddrop": lambda sampling, rates: ModDrop(M),
    "pmr": lambda sampling, rates: PMR(M, sampling),
    "passion": lambda sampling, rates: Passion(M, rates, sampling=sampling),
    "passion_reference": lambda sampling, rates: Passion(M, rates, "reference", sampling=sampling),
    "subset_distillation": lambda sampling, rates: SubsetDistillation(M, epochs=1),
}
TERMS = {
    "baseline": {"auxiliary"},
    "moddrop": {"auxiliary"},
    "pmr": {"auxiliary", "prototype", "entropy"},
    "passion": {"pixel", "proto"},
    "passion_reference": {"pixel", "proto", "auxiliary"},
    "subset_distillation": {"label", "distillation"},
}


def cases(backbone, available):
    """`STEPS` batches of two cases of the smallest size."""
    size = (backbone.smallest, 2 * backbone.divisor)
    generator = torch.Generator().manual_seed(2)
    label = torch.randint(0, K, (2, 1, *size), generator=generator)
    image = label + 0.3 * torch.randn(2, M, *size, generator=generator)
    image = image.masked_fill(~available[:, :, None, None], float("nan"))
    items = [{"image": image[i], "label": label[i], "available": available[i], "case": f"case{i}"} for i in (0, 1)]
    return DataLoader(items * STEPS, batch_size=2)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("method_name", METHODS)
@pytest.mark.parametrize(
    "backbone_name", [pytest.param(n, marks=[pytest.mark.slow] if n == "swin_unetr" else []) for n in BACKBONES]
)
def test_trains(backbone_name, method_name, setting):
    available, sampling, rates = SETTINGS[setting]
    torch.manual_seed(0)
    backbone = BACKBONES[backbone_name](2, M)
    method = METHODS[method_name](sampling, rates)
    view = TrainingView(backbone, method)
    trainer = IncompleteTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=cases(backbone, available),
        network=view,
        optimizer=torch.optim.SGD(view.parameters(), lr=1e-3),
        loss_function=SegmentationLoss(),
        method=method,
        train_handlers=[FiniteLoss(), MethodHandler(method, ("a", "b", "c"))],
    )
    reached = set()
    trainer.add_event_handler("BACKWARD_COMPLETED", lambda engine: reached.update(_reached(backbone)))
    trainer.run()
    assert TERMS[method_name] == set(trainer.state.terms) - {"loss", "seg"}
    assert all(parameter.isfinite().all() for parameter in backbone.parameters())
    used = {n for n, _ in backbone.named_parameters() if method.auxiliary or "auxiliary" not in n}
    assert used == reached


def _reached(backbone):
    """Names of the parameters with a finite gradient that is not zero throughout."""
    gradients = {name: parameter.grad for name, parameter in backbone.named_parameters()}
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients.values())
    return {name for name, gradient in gradients.items() if gradient is not None and gradient.any()}
