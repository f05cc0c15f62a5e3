import time
from pathlib import Path

import pytest
import yaml

from passion_monai.study import read_study
from tests.study.small import study, study_file

SHIPPED = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))


def test_rows_times_seeds_with_every_row_once_before_the_next_seed(tmp_path):
    found = study(tmp_path)
    rows = ["mmformer_PDT_baseline", "mmformer_sml_baseline", "mmformer_sml_passion"]
    assert [run.name for run in found.runs] == [f"{row}_seed{seed}" for seed in (0, 1) for row in rows]
    assert (found.name, found.tables, found.keep_weights) == ("tiny-small", (1,), False)


def test_overrides_of_the_chosen_names_are_merged(tmp_path):
    run = study(tmp_path, "small: {dataset: toy}", "small: {dataset: toy, overrides: {epochs: 3, quality: 0.1}}").runs[
        2
    ]
    assert run.settings == {"epochs": 3, "quality": 0.75, "availability": "0.2,0.5", "method": "passion", "seed": 0}
    assert run.facts == {"backbone": "mmformer", "rates": "s,m,l", "method": "passion"}
    assert run.dataset == "toy"


@pytest.mark.parametrize(("text", "number"), [("5e-3", 0.005), ("1E+2", 100.0), ("2", 2), ("'5e-3'", "5e-3")])
def test_numbers_are_read_as_in_json(tmp_path, text, number):
    changed = f"small: {{dataset: toy, overrides: {{quality: {text}}}}}"
    assert study(tmp_path, "small: {dataset: toy}", changed).runs[0].settings["quality"] == number


def test_another_size_has_its_own_seeds_data_and_choices(tmp_path):
    found = study(tmp_path, size="paper", dataset_dir=str(tmp_path))
    assert [run.seed for run in found.runs] == [5, 5, 5]
    assert found.runs[0].settings["availability"] == "table"
    assert found.runs[1].settings["availability"] == "0.2,0.5"
    assert {run.settings["dataset_dir"] for run in found.runs} == {str(tmp_path)}


def test_methods_of_one_setting_and_seed_get_the_same_masks(tmp_path):
    runs = study(tmp_path).runs
    masks = {(run.facts["rates"], run.seed, str(run.settings.get("availability"))) for run in runs}
    assert len(masks) == 4


def test_a_fingerprint_changes_with_everything_that_decides_the_scores(tmp_path):
    first = study(tmp_path).runs
    assert [run.fingerprint for run in study(tmp_path).runs] == [run.fingerprint for run in first]
    assert len({run.fingerprint for run in first}) == len(first)
    changed = study(tmp_path, "quality: 0.75", "quality: 0.76").runs
    assert [a.fingerprint == b.fingerprint for a, b in zip(first, changed, strict=True)] == [True, True, False] * 2
    (tmp_path / "more.json").write_text("{}")
    more = study(tmp_path, "dataset: toy", "dataset: toy, configs: [more.json]").runs
    (tmp_path / "more.json").write_text('{"epochs": 1}')
    assert more[0].fingerprint != first[0].fingerprint  # read when asked: the file's content, not its name


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds: [0, 1]", "seed: [0, 1]", r"unknown key 'seed': did you mean 'seeds'\?"),
        ("bundle: bundle\n", "", r"key 'bundle' is missing"),
        ("rates: {PDT", "rate: {PDT", r"axes: unknown key 'rate': did you mean 'rates'\?"),
        (
            "[baseline, passion]",
            "[baseline, pasion]",
            r"rows: 2: method: unknown name 'pasion': did you mean 'passion'\?",
        ),
        ("rates: PDT, method: baseline", "rates: PDT", r"rows: 1: key 'method' is missing"),
        ("seeds: [0, 1]", "seeds: 3", r"seeds: expected a list of int, found 3"),
        ("seeds: [0, 1]", "seeds: [1, 1]", r"seeds: \[1, 1\] names something twice"),
        ("seeds: [0, 1]", "seeds: [0, 1", r"no valid YAML: .* line"),
        ("quality: 0.75", "qualty: 0.75", r"the configs have no id 'qualty'; did you mean 'quality'\?"),
        ("small: {dataset: toy}", "small: {}", r"sizes: small: key 'dataset' is missing"),
        ("small: {dataset: toy}", "small: 3", r"sizes: small: expected names with values, found 3"),
        (
            "passion: {method: passion, quality: 0.75}",
            "passion: passion",
            r"method: passion: expected names with values",
        ),
    ],
)
def test_mistakes_are_named(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=message):
        study(tmp_path, old, new)


BOMB = "\n".join(["x0: &x0 [a, a]", *(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 12))])
MERGED = "\n".join(["x0: &x0 {a: 1}", *(f"x{n}: &x{n} {{<<: [*x{n - 1}, *x{n - 1}]}}" for n in range(1, 40))])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: tiny", f"{BOMB}\nname: tiny", r"has more than 50000 values, with its aliases"),
        ("name: tiny", f"{MERGED}\nname: tiny", r"has more than (50000 values|30 levels), with its aliases"),
        ("name: tiny", "x: &x [*x]\nname: tiny", r"has more than 30 levels, with its aliases"),
        ("name: tiny", f"x: {'[' * 5000}{']' * 5000}\nname: tiny", r"nested too deeply|more than 30 levels"),
        ("name: tiny", f"x: {'a' * 1_000_001}\nname: tiny", r"has \d+ bytes, a study has at most 1000000"),
        ("name: tiny", "name: a\nname: tiny", r"gives the name 'name' twice, line 2"),
        ("{method: passion, quality", "{quality: 0.5, method: passion, quality", r"gives the name 'quality' twice"),
        ("broken: {method", "baseline: {method", r"gives the name 'baseline' twice"),
        ("name: tiny", "name: ../victim", r"name '\.\./victim' is a path"),
        ("name: tiny", 'name: "a\\nb"', r"name 'a\\nb' holds the character"),
        ("name: tiny", "name: [tiny]", r"name: expected a text"),
        ("tables: [1]", "tables: [4]", r"the paper has tables 1, 2, 3, found \[4\]"),
        ("tables: [1]", "tables: [2]", r"table 2 needs the axis 'parts'"),
        ("seeds: [0, 1]", "seeds: []", r"seeds: expected whole numbers from 0"),
        ("seeds: [0, 1]", "seeds: [-1]", r"seeds: expected whole numbers from 0"),
        ("seeds: [0, 1]", "seeds: [99999999999]", r"seeds: expected whole numbers from 0"),
        ("seeds: [0, 1]", "keep_weights: perhaps", r"keep_weights: expected true or false"),
        ("quality: 0.75", "quality: .nan", r"nan is no number"),
        ("quality: 0.75", "quality: !!binary aGVsbG8=", r"expected a text, a number"),
        ("quality: 0.75", "quality: !!python/name:os.system", r"no valid YAML"),
        ("broken: {method: broken}", "Baseline: {method: broken}", r"two runs have the folder"),
        ("bundle: bundle", "bundle: [bundle]", r"bundle: expected a folder"),
    ],
)
def test_what_is_no_study_is_refused_at_once(tmp_path, old, new, message):
    changed = study_file(tmp_path, old, new)
    if "Baseline" in new:
        changed.write_text(changed.read_text().replace("method: [baseline, passion]", "method: all"))
    start = time.monotonic()
    with pytest.raises(ValueError, match=message) as caught:
        read_study(changed)
    assert len(str(caught.value)) < 1000
    assert time.monotonic() - start < 10


def test_anchors_and_merged_names_are_no_repetition(tmp_path):
    changed = "baseline: &own {method: baseline, quality: 0.1}"
    path = study_file(tmp_path, "baseline: {method: baseline}", changed)
    path.write_text(path.read_text().replace("{method: passion, quality", "{<<: *own, method: passion, quality"))
    assert [run.settings["quality"] for run in read_study(path).runs[:3]] == [0.1, 0.1, 0.75]


def test_a_date_stays_the_text_that_it_is(tmp_path):
    assert study(tmp_path, "quality: 0.75", "quality: 2024-11-05").runs[2].settings["quality"] == "2024-11-05"


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"study .*nothing\.yaml does not exist"):
        read_study(tmp_path / "nothing.yaml")
    with pytest.raises(FileNotFoundError, match=r"other.configs.train\.json, which does not exist"):
        study(tmp_path, "bundle: bundle", "bundle: other")
    with pytest.raises(ValueError, match=r"unknown size 'smal': did you mean 'small'\?"):
        study(tmp_path, size="smal")
    with pytest.raises(ValueError, match=r"size 'paper' of .* needs real cases: give their folder with --dataset_dir"):
        read_study(study_file(tmp_path), size="paper")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_studies_can_be_read_at_all_their_sizes(path, tmp_path):
    for size in yaml.safe_load(path.read_text())["sizes"]:
        runs = read_study(path, size, str(tmp_path)).runs
        assert len({run.name for run in runs}) == len({run.fingerprint for run in runs}) == len(runs)
