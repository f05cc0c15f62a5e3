import pytest
from hypothesis import given
from hypothesis import strategies as st

from passion_monai.data.cases.names import patient_of
from passion_monai.data.cases.splitting import split_by_patient

CASES = [f"BraTS-GLI-{patient:05d}-{time:03d}" for patient in range(10) for time in range(1 + patient % 3)]


@given(st.integers(0, 1000), st.sampled_from([(0.7, 0.1, 0.2), (0.5, 0.5), (1.0,), (0.98, 0.01, 0.01), (0.2,) * 5]))
def test_a_partition_by_patient(seed, fractions):
    parts = split_by_patient(CASES, fractions, seed)
    assert sorted(case for part in parts for case in part) == sorted(CASES)
    patients = [{patient_of(case) for case in part} for part in parts]
    assert sum(map(len, patients)) == 10
    assert min(map(len, patients)) >= 1
    assert parts == split_by_patient(CASES[::-1], fractions, seed)


def test_sizes_are_nearest_to_the_fractions():
    names = [f"p{i}" for i in range(20)]
    assert [len(part) for part in split_by_patient(names, (0.7, 0.1, 0.2), seed=3)] == [14, 2, 4]
    assert [len(part) for part in split_by_patient(names[:4], (0.7, 0.1, 0.2), seed=3)] == [2, 1, 1]
    assert [len(part) for part in split_by_patient(names[:11], (0.3, 0.45, 0.25), seed=3)] == [3, 5, 3]
    assert split_by_patient(names, (0.5, 0.5), seed=0) != split_by_patient(names, (0.5, 0.5), seed=1)


def test_a_pattern_of_ones_own():
    names = [f"h{hospital}-{patient}" for hospital in range(3) for patient in range(4)]
    parts = split_by_patient(names, (0.67, 0.33), seed=0, patient="^h[0-9]")
    assert sorted(len({name[:2] for name in part}) for part in parts) == [1, 2]


@pytest.mark.parametrize(
    ("cases", "fractions", "message"),
    [
        (["a", "b"], (0.5, 0.6), r"positive and sum to 1, got \[0.5, 0.6\]"),
        (["a", "b"], (1.5, -0.5), "positive and sum to 1"),
        (["a", "b"], (), "positive and sum to 1"),
        (["a-ses-1", "a-ses-2"], (0.5, 0.5), "2 cases of 1 patients cannot be split into 2 parts"),
    ],
)
def test_what_cannot_be_split(cases, fractions, message):
    with pytest.raises(ValueError, match=message):
        split_by_patient(cases, fractions, seed=0)


@pytest.mark.parametrize(
    ("case", "patient"),
    [
        ("Brats18_TCIA01_131_1", "Brats18_TCIA01_131"),
        ("BraTS-MEN-RT-0003-1", "BraTS-MEN-RT-0003"),
        ("BraTS2021_00000", "BraTS2021_00000"),
        ("myops_training_101", "myops_training_101"),
        ("patient01_study2", "patient01"),
        ("p3-visit-02", "p3"),
    ],
)
def test_patients_of_known_names(case, patient):
    assert patient_of(case) == patient


def test_patterns_that_do_not_fit():
    with pytest.raises(ValueError, match=r"patient '\(' is no regular expression"):
        patient_of("a", "(")
    with pytest.raises(ValueError, match=r"pattern 'x\+' for patients does not occur in the case name 'a'"):
        patient_of("a", "x+")
