import pytest
import torch
from monai.data import MetaTensor

from passion_monai.engines import TrainingView
from passion_monai.handlers import EpochSeed
from passion_monai.losses import SegmentationLoss
from passion_monai.methods import PMR, Baseline, ModDrop, Passion, SubsetDistillation
from tests.helpers.mean_fusion import MeanFusion
from tests.helpers.training import build, loader

METHODS = {
    "baseline": lambda: Baseline(num_modalities=3),
    "moddrop": lambda: ModDrop(num_modalities=3),
    "pmr": lambda: PMR(num_modalities=3),
    "passion": lambda: Passion(num_modalities=3, missing_rates=(0.25, 0.25, 0.5)),
    "passion_reference": lambda: Passion(num_modalities=3, missing_rates=(0.25, 0.25, 0.5), variant="reference"),
    "subset_distillation": lambda: SubsetDistillation(num_modalities=3, epochs=4),
}


def explicit_loop(make_method, epochs, accumulation_steps):
    """Training written out by hand: what the hooks must amount to."""
    torch.manual_seed(0)
    backbone, method = MeanFusion(2, 3, 3), make_method()
    view, data = TrainingView(backbone, method), loader()
    optimizer = torch.optim.AdamW(view.parameters(), lr=1e-2, amsgrad=True)
    seeds, loss_function = EpochSeed(data, 0), SegmentationLoss()

    class State:
        epoch = 0

    class Engine:
        state = State

    for epoch in range(1, epochs + 1):
        State.epoch = epoch
        seeds(Engine)
        for i, batch in enumerate(data):
            if i % accumulation_steps == 0:
                optimizer.zero_grad(set_to_none=False)
            output = view(batch["image"], batch["available"])
            loss = loss_function(output.fused, batch["label"]).mean()
            loss = loss + sum(method.terms(output, batch["label"]).values())
            (loss / accumulation_steps).backward()
            if (i + 1) % accumulation_steps == 0 or i + 1 == len(data):
                optimizer.step()
        method.end_epoch()
    return backbone


@pytest.mark.parametrize("accumulation_steps", [1, 2])
@pytest.mark.parametrize("name", METHODS)
def test_hooks_equal_an_explicit_loop(name, accumulation_steps):
    trainer, objects = build(METHODS[name], epochs=2, accumulation_steps=accumulation_steps)
    trainer.run()
    expected = explicit_loop(METHODS[name], 2, accumulation_steps).state_dict()
    for key, value in objects["model"].state_dict().items():
        assert torch.equal(value, expected[key]), key


@pytest.mark.parametrize("name", METHODS)
def test_terms_are_reported_and_add_up(name):
    trainer, _ = build(METHODS[name], epochs=1)
    trainer.run()
    terms = dict(trainer.state.terms)
    total = terms.pop("loss")
    assert torch.isclose(total, torch.stack(list(terms.values())).sum())
    assert not any(value.requires_grad for value in trainer.state.terms.values())
    assert trainer.state.output["pred"].shape == (2, 3, 16, 16)


def test_loss_falls():
    trainer, _ = build(METHODS["passion"], epochs=30)
    losses = []
    trainer.add_event_handler("ITERATION_COMPLETED", lambda engine: losses.append(float(engine.state.terms["seg"])))
    trainer.run()
    assert sum(losses[-4:]) < 0.6 * sum(losses[:4])


def test_absent_modalities_get_no_student_and_no_auxiliary():
    view = TrainingView(MeanFusion(2, 3, 3), METHODS["passion_reference"]())
    available = torch.tensor([[True, True, False], [True, False, False]])
    output = view(torch.randn(2, 3, 16, 16), available)
    assert [None if d is None else len(d.logits) for d in output.unimodal] == [1, 1, None]
    assert [None if a is None else len(a) for a in output.auxiliary] == [2, 1, None]


def test_autocast_on_cpu_keeps_the_terms_in_float32():
    method = METHODS["passion"]()
    view = TrainingView(MeanFusion(2, 3, 3), method, autocast=torch.bfloat16)
    batch = next(iter(loader()))
    output = view(batch["image"], batch["available"])
    assert output.fused.logits.dtype == torch.bfloat16
    assert all(t.dtype == torch.float32 and t.isfinite() for t in method.terms(output, batch["label"]).values())


def test_the_state_of_the_view_is_the_backbones():
    view = TrainingView(MeanFusion(2, 3, 3), METHODS["passion"]())
    assert view.state_dict().keys() == view.backbone.state_dict().keys()
    other = MeanFusion(2, 3, 3)
    view.load_state_dict(other.state_dict())
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in view.backbone.state_dict().items())
    wrapped = torch.nn.ModuleDict({"module": view})  # as DistributedDataParallel does
    assert set(wrapped.state_dict()) == {f"module.{name}" for name in other.state_dict()}
    wrapped.load_state_dict(wrapped.state_dict())


def test_meta_tensors_do_not_reach_the_state(tmp_path):
    trainer, objects = build(METHODS["passion"], epochs=1)
    data = trainer.data_loader.dataset
    item = data.__class__.__getitem__
    data.__class__ = type("Meta", (type(data),), {"__getitem__": lambda self, i: _with_meta(item(self, i))})
    trainer.run()
    assert all(type(value) is torch.Tensor for value in objects["method"].state_dict().values())


def _with_meta(item):
    return {key: MetaTensor(value) if isinstance(value, torch.Tensor) else value for key, value in item.items()}
