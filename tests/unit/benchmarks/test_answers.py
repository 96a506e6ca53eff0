import pytest

from weft.benchmarks.answers import score
from weft.errors import ScoringError
from weft.records import Score, Verdict

PUZZLE, SOLUTION = "Solve: 0234341221434321", "1234341221434321"


def test_each_answer_has_its_score_by_the_chosen_rules():
    answers = [r"<answer>\boxed{3}</answer>", "four", r"\boxed{5}"]
    assert [s.verdict for s in score("gsm8k", answers, [3, 4, 6])] == ["correct", "wrong", "wrong"]
    half = r"\boxed{\frac{2}{4}}"
    verdicts = [score("math500", [half], [r"\frac12"], rules)[0].verdict for rules in ("strict", "d1")]
    assert verdicts == [Verdict.CORRECT, Verdict.WRONG]


def test_sudoku_reads_the_puzzle_in_the_question():
    scores = score("sudoku", [f"<answer>{SOLUTION}</answer>"], [SOLUTION], questions=[PUZZLE])
    assert scores[0].verdict is Verdict.CORRECT
    with pytest.raises(ScoringError, match="questions must be given for sudoku"):
        score("sudoku", ["1"], ["1"])


def test_a_function_may_score():
    def scorer(generation, *, question, reference):
        return Score.from_credit(generation, float(generation == reference + question))

    assert [s.credit for s in score(scorer, ["ab", "c"], ["a", "c"], questions=["b", "d"])] == [1, 0]


def test_what_an_answer_does_to_a_scorer_is_a_verdict():
    def scorer(generation, *, question, reference):
        raise ValueError(generation)

    assert score(scorer, ["3"], [3])[0].verdict is Verdict.UNSCORABLE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gsm9k", ["1"], [1]), "the benchmark must be one of"),
        (("gsm8k", ["1"], [1], "loose"), "the rules for gsm8k must be one of"),
        (("gsm8k", ["1", "2"], [1]), "equally many, got 2 answers, 1 references, 2 questions"),
        (("gsm8k", "1", [1]), "answers must be a list"),
        (("gsm8k", ["3", "3"], [3, "three"]), r"references\[1\].* must be a finite number"),
        (("countdown", ["3"], [3]), r"references\[0\]"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ScoringError, match=message):
        score(*arguments)
