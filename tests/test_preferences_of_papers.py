"""The chapter of preferences is what the study gives; what it says of outcomes is what its numbers say."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sigcube import analysis
from sigcube.analysis import PreferenceStudy
from sigcube.analysis.preference_file import read_study_file
from tests.analysis.test_preferences import PRIOR, likelihoods
from tests.preferences_of_papers import BEGIN, END, FIGURE, PAGE, measured, table, total_rows, wins_rows


@pytest.mark.page
@pytest.mark.slow
def test_rows_of_the_page_are_current(sparc_path: Path) -> None:
    papers = read_study_file("papers")
    first = papers.comparison[0]
    models = {name: papers.models[name] for name in (first.first, first.second)}
    few = papers.model_copy(update={"models": models, "comparison": [first]})
    found = PreferenceStudy(few, cube=sparc_path).run()
    text = PAGE.read_text(encoding="utf-8")
    for row in (*wins_rows(found), *total_rows(found)):
        assert f"| {' | '.join(row)} |\n" in text


def test_the_page_has_a_row_for_each_comparison_and_a_figure() -> None:
    block = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    papers = read_study_file("papers")
    for i, each in enumerate(papers.comparison, 1):
        assert block.count(f"\n| {i} | {each.first} : {each.second}") == 2
        assert f"{each.published}; {each.where}" in block
    assert FIGURE.is_file()


@pytest.mark.slow
def test_outcomes_are_sorted() -> None:
    # Comparisons of a with b, by 30 each under the four error models but for rounding: +, − or within errors.
    signs = {1: (1, 1, 1, 1), 2: (1, 1, 0, 0), 3: (0, 1, 1, -1), 4: (1, 0, 0, -1), 5: (0, 1, 1, 0)}
    parts = []
    for wanted in signs.values():
        values = np.zeros((2, 2, 4, 6, 5))
        # Systems of the same difference have no scatter; of alternating ones a sum without a sign.
        pattern = {1: np.full(4, 30.0), -1: np.full(4, -30.0), 0: np.array([30.0, -30.0, 30.0, -30.0])}
        for (nuisances, white), sign in zip(((0, True), (0, False), (1, True), (1, False)), wanted, strict=True):
            place = slice(0, 1) if white else slice(1, None)
            values[0, nuisances, :, place, :] = pattern[sign][:, None, None]
        parts.append(analysis.preferences(likelihoods(values), [{"first": "a", "second": "b"}], prior=PRIOR))
    found = xr.concat(parts, dim="comparison", data_vars="minimal").assign_coords(comparison=list(signs))
    text = measured(found)
    assert "the same model under all four: 1.\n" in text
    assert "one under the first and none under the last: 2.\n" in text
    assert "none under the first and one under the last: 3.\n" in text
    assert "the one under the first and the other under the last: 4.\n" in text
    assert "none under either: 5.\n" in text
    # Every galaxy of every comparison is beyond 5 under all error models.
    assert text.count("- 20 with errors ") == 4


def test_a_table_is_that_of_markdown() -> None:
    assert table(["a", "b"], [["1", "2"]], left=1) == "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"
