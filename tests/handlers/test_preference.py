import math
from functools import partial

import pytest
import torch

from passion_monai.handlers import PreferenceTracker
from passion_monai.methods import Baseline, Passion
from tests.engines.test_trainer import METHODS
from tests.helpers.mean_fusion import MeanFusion
from tests.helpers.training import AVAILABLE, build


class Forgetful(MeanFusion):
    """Draws random numbers in every decoding, as backbones with dropout do."""

    def decode(self, features, presence):
        decoded = super().decode(features, presence)
        return decoded._replace(logits=torch.nn.functional.dropout(decoded.logits, 0.2, self.training))


def weights(name, **options):
    trainer, objects = build(METHODS[name], epochs=2, make_backbone=Forgetful, **options)
    trainer.run()
    return objects["model"].state_dict(), trainer


@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
@pytest.mark.parametrize("name", ["baseline", "moddrop", "pmr"])
def test_tracking_changes_no_weight_by_a_bit(name, autocast):
    plain, _ = weights(name, autocast=autocast)
    tracked, trainer = weights(name, autocast=autocast, track=1)
    assert all(torch.equal(value, tracked[key]) for key, value in plain.items())
    assert {"rp_a", "rp_b", "rp_c", "distance_a"} <= set(trainer.state.metrics)
    assert any(trainer.state.metrics[f"rp_{m}"] != 0 for m in "abc")


def test_it_is_what_passion_reports_of_the_same_network():
    still = partial(torch.optim.SGD, lr=0.0)
    rates = (1 - AVAILABLE.float().mean(dim=0)).tolist()
    own, _ = build(lambda: Passion(3, rates), epochs=1, make_optimizer=still)
    tracked, _ = build(lambda: Baseline(3), epochs=1, make_optimizer=still, track=1)
    own.run()
    tracked.run()
    for name in ("rp_a", "rp_b", "rp_c", "distance_a"):
        assert tracked.state.metrics[name] == pytest.approx(own.state.metrics[name], rel=1e-6)


def test_the_first_iteration_of_every_epoch_is_measured_and_absent_modalities_are_not_a_number():
    trainer, _ = build(lambda: Baseline(3), epochs=3, batch_size=1, track=9)
    rows = []
    trainer.add_event_handler("ITERATION_STARTED", lambda e: rows.append(e.state.batch["available"][0].tolist()))
    trainer.add_event_handler("EPOCH_COMPLETED", lambda e: reports.append(dict(e.state.metrics)))
    reports = []
    trainer.run()
    for epoch, report in enumerate(reports):
        seen = rows[4 * epoch]
        assert [not math.isnan(report[f"rp_{m}"]) for m in "abc"] == seen


def test_a_method_that_reports_its_preference_is_left_alone():
    trainer, _ = build(METHODS["passion"], epochs=1, track=1)
    trainer.run()
    assert trainer.network.tracked is False


def test_an_interval_below_one_is_refused():
    trainer, _ = build(METHODS["baseline"])
    with pytest.raises(ValueError, match="track_preference must be 1 or more"):
        PreferenceTracker(trainer.network, every=-1)
