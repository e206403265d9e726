"""Every outcome and every reason has its words."""

import pytest

from worker.reports.wording import Particulars, detail, hint
from worker.states import SUCCESSES, Outcome, Reason


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_one_sentence_and_every_failure_has_a_hint(outcome: Outcome) -> None:
    reason = Reason.EMPTY if outcome is Outcome.INVALID_IDENTIFIER else None
    sentence = detail(outcome, reason, Particulars(duplicate_of_row=12))
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    assert (hint(outcome, reason) is None) == (outcome in SUCCESSES)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_the_first_word_of_its_sentence(reason: Reason) -> None:
    assert detail(Outcome.INVALID_IDENTIFIER, reason, Particulars()).startswith(f"{reason}: ")
    assert hint(Outcome.INVALID_IDENTIFIER, reason)


def test_a_duplicate_names_the_row_and_the_kit_if_it_is_told_one() -> None:
    assert detail(Outcome.DUPLICATE, None, Particulars(12)) == "The same device as row 12."
    assert detail(Outcome.DUPLICATE, None, Particulars(12, "KIT-7")) == "The same device as row 12 (kit KIT-7)."
