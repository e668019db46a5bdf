"""The metrics of many resamples at once say what scikit-learn and scipy say of each."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from dfj_bootstrap.domain.rationale import LEVELS
from dfj_bootstrap.scoring import formulas
from dfj_bootstrap.scoring.bootstrap import RESAMPLES, ByImage, Floats, Measure, ratio, settle, share

PAIRS = st.lists(st.tuples(st.sampled_from(LEVELS), st.sampled_from(LEVELS)), min_size=2, max_size=60)

BY_MOMENTS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats, Floats], float]]] = {
    "mse": (formulas.mse, lambda x, y: float(metrics.mean_squared_error(x, y))),
    "rmse": (formulas.rmse, lambda x, y: float(metrics.root_mean_squared_error(x, y))),
    "bias": (formulas.bias, lambda x, y: float(np.mean(y - x))),
    "pearson": (formulas.pearson, lambda x, y: float(stats.pearsonr(x, y).statistic)),
    "kappa_quadratic": (
        formulas.kappa_quadratic,
        lambda x, y: float(metrics.cohen_kappa_score(x, y, labels=LEVELS, weights="quadratic")),
    ),
}
BY_CELLS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats, Floats], float]]] = {
    "spearman": (formulas.spearman, lambda x, y: float(stats.spearmanr(x, y).statistic)),
    "kappa": (formulas.kappa, lambda x, y: float(metrics.cohen_kappa_score(x, y, labels=LEVELS))),
}


def columns(pairs: list[tuple[int, int]]) -> tuple[Floats, Floats]:
    x, y = np.array(pairs, dtype=np.float64).T
    return x, y


def cells(x: Floats, y: Floats) -> Floats:
    table: Floats = metrics.confusion_matrix(x, y, labels=LEVELS).reshape(1, -1).astype(np.float64)
    return table


def moments(x: Floats, y: Floats) -> Floats:
    return ByImage(["one"] * len(x)).sums(*formulas.moments(x, y, np.ones(len(x))))


def same(ours: Floats, theirs: float) -> None:
    """Equal, or undefined for both."""
    assert np.isnan(theirs) == np.isnan(ours[0])
    if not np.isnan(theirs):
        assert ours[0] == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("name", [*BY_MOMENTS, *BY_CELLS])
@given(pairs=PAIRS)
def test_a_formula_says_what_its_library_says(name: str, pairs: list[tuple[int, int]]) -> None:
    x, y = columns(pairs)
    formula, library = (BY_MOMENTS | BY_CELLS)[name]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # both are undefined where all is constant, and the libraries warn
        same(formula(moments(x, y) if name in BY_MOMENTS else cells(x, y)), library(x, y))


@given(rows=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_f1_says_what_its_library_says(rows: list[tuple[bool, bool]]) -> None:
    true, called = np.array(rows).T
    with np.errstate(all="ignore"):
        ours = formulas.f1(np.array([[(true & called).sum(), called.sum(), true.sum()]], dtype=np.float64))
    same(ours, float(metrics.f1_score(true, called, zero_division=np.nan)))


def test_hand_worked_values() -> None:
    """Levels 1 2 3 4 5 and scores 2 2 3 5 5: two are one too high."""
    x, y = columns([(1, 2), (2, 2), (3, 3), (4, 5), (5, 5)])
    sums = moments(x, y)
    assert formulas.mse(sums) == pytest.approx(2 / 5)
    assert formulas.bias(sums) == pytest.approx(2 / 5)
    assert formulas.pearson(sums) == pytest.approx(9 / (10 * 9.2) ** 0.5)
    assert formulas.kappa_quadratic(sums) == pytest.approx(1 - (2 / 5) / (11 + 67 / 5 - 2 * 3 * 17 / 5))
    assert formulas.kappa(cells(x, y)) == pytest.approx((3 / 5 - 5 / 25) / (1 - 5 / 25))
    assert formulas.spearman(cells(x, y)) == pytest.approx(9 / (10 * 9) ** 0.5)


def test_a_resample_is_what_the_library_says_of_the_rows_drawn() -> None:
    """Images drawn by hand from the same generator, rows copied, and asked of scipy."""
    rng = np.random.default_rng(5)
    x, y = rng.integers(1, 6, (2, 40)).astype(np.float64)
    images = [f"{i // 4:02}" for i in range(40)]
    by_image = ByImage(images)
    measure = Measure(0.0, 40, by_image.sums(*formulas.moments(x, y, np.ones(40))), formulas.pearson)
    figure = settle({"pearson": measure})["pearson"]
    drawn = np.random.default_rng(17).integers(0, 10, (RESAMPLES, 10))
    by_hand = []
    for images_drawn in drawn:
        rows = np.concatenate([np.arange(4 * i, 4 * i + 4) for i in images_drawn])
        by_hand.append(stats.pearsonr(x[rows], y[rows]).statistic)
    low, high = np.percentile(by_hand, (2.5, 97.5))
    assert figure.low == pytest.approx(min(low, 0.0), abs=1e-9)
    assert figure.high == pytest.approx(max(high, 0.0), abs=1e-9)


def test_rows_of_one_image_count_as_one_witness() -> None:
    """Twenty-five copies of each row tell no more than one: the interval stays as wide."""
    hits = np.array([True, False, True, True, False, True, True, True, False, True] * 3)
    images = np.array([f"{i:02}" for i in range(30)])
    once = share(ByImage(images.tolist()), hits, hits | True, "")
    often = share(ByImage(np.repeat(images, 25).tolist()), np.repeat(hits, 25), np.ones(750), "")
    figures = settle({"once": once}) | settle({"often": often})
    assert figures["once"].n * 25 == figures["often"].n
    assert figures["often"].low == pytest.approx(figures["once"].low)
    assert figures["often"].high == pytest.approx(figures["once"].high)


@settings(max_examples=25)
@given(hits=st.lists(st.booleans(), min_size=2, max_size=30))
def test_an_interval_holds_its_value_and_stays_a_share(hits: list[bool]) -> None:
    by_image = ByImage([str(i) for i in range(len(hits))])
    figure = settle({"share": share(by_image, hits, np.ones(len(hits)), "")})["share"]
    assert figure.value is not None and figure.low is not None and figure.high is not None
    assert 0 <= figure.low <= figure.value <= figure.high <= 1


def test_a_share_that_is_whole_still_has_an_interval() -> None:
    """Wilson's for 10 of 10: from 1 / (1 + 1.96² / 10)."""
    figure = settle({"all": share(ByImage([*"abcdefghij"]), [True] * 10, [True] * 10, "")})["all"]
    assert figure.value == figure.high == 1
    assert figure.low == pytest.approx(10 / (10 + 1.959964**2), abs=1e-6)


def test_one_image_gives_a_value_and_no_interval() -> None:
    figure = settle({"one": share(ByImage(["a", "a"]), [True, False], [True, True], "")})["one"]
    assert (figure.value, figure.low, figure.high) == (0.5, None, None)
    assert "one image" in figure.why


def test_what_most_resamples_leave_undefined_has_no_interval() -> None:
    by_image = ByImage([*"abcdefghij"])
    sums = by_image.sums([1] + [0] * 9, [1] + [0] * 9) + np.array([0.0, 0.0])
    sums[1:, 0] = 1e-9  # they bear on it, but the denominator stands in one image alone
    with np.errstate(all="ignore"):
        figure = settle({"rare": Measure(1.0, 1, sums, lambda s: np.where(s[:, 1] > 0, ratio(s), np.nan))})[
            "rare"
        ]
    assert figure.low is None
    assert "undefined in" in figure.why
