import random
import string
from dataclasses import replace

import pytest

from weft.report.browser_texts import LIMITS, collect_texts
from weft.report.examples import choose_questions, list_comparisons, list_questions

HOSTILE = "</script><!--" + 40 * "<|endoftext|>" + "\u202e\x00\ud800"


@pytest.fixture
def comparisons(experiment, results):
    return list_comparisons(experiment, results)


@pytest.fixture
def chosen(experiment, comparisons):
    return choose_questions(list_questions(experiment, comparisons), limit=20)


@pytest.fixture
def answers(experiment, results, write, read_answers, tmp_path):
    """A function that returns a source of answers with a given text, or with those of the files."""
    read = read_answers(write(experiment, tmp_path))

    def source(text=None):
        def found(file):
            found = read(file)
            if text is None:
                return found
            return {name: item.model_copy(update={"generation": text}) for name, item in found.items()}

        return found

    return source


def test_texts_are_in_the_order_of_the_questions(comparisons, chosen, answers):
    texts = collect_texts(comparisons, chosen, answers(), max_bytes=10**6)
    assert len(texts.sheets) == 7
    expected = [example_id.replace("q", "G") for ids in chosen.values() for example_id in ids]
    for sheet in texts.sheets.values():
        assert sheet.answers == expected
        assert set(sheet.extracted) == {"7"}
    assert texts.questions["gsm8k", "q0"] == ("Q0", "7")
    assert len(texts.questions) == 20
    assert (texts.limit, texts.num_missing) == (LIMITS[0], 0)


def test_answers_that_do_not_fit_are_left_out_and_not_read(comparisons, chosen, answers):
    read = []
    source = answers("".join(random.Random(1).choices(string.ascii_letters, k=2000)))

    def counted(file):
        read.append(file.run.run_id)
        return source(file)

    texts = collect_texts(comparisons, chosen, counted, max_bytes=3_000)
    assert [run.run_id for run, _ in texts.sheets] == ["base", "sft-worked-seed1", "weft-worked-seed1"]
    assert not [name for name in read if name.endswith("seed3")]


def test_long_answers_are_cut_until_the_first_comparison_fits(comparisons, chosen, answers, results):
    letters = random.Random(1)

    def source(file):
        return {
            name: item.model_copy(update={"generation": "".join(letters.choices(string.printable, k=3000))})
            for name, item in answers()(file).items()
        }

    texts = collect_texts(comparisons, chosen, source, max_bytes=100_000)
    assert texts.limit == 1000
    for sheet in texts.sheets.values():
        assert all("characters …]" in answer for answer in sheet.answers)
        assert max(map(len, sheet.answers)) < 1100


def test_the_smallest_limit_is_used_if_nothing_fits(comparisons, chosen, answers):
    texts = collect_texts(comparisons, chosen, answers(), max_bytes=1)
    assert texts.limit == LIMITS[-1]
    assert len(texts.sheets) == 3


def test_hostile_and_huge_answers_become_short_printable_texts(comparisons, chosen, answers):
    texts = collect_texts(comparisons, chosen, answers(HOSTILE + 100_000 * "x"), max_bytes=10**6)
    answer = texts.sheets[comparisons[0].columns[2].key].answers[0]
    assert answer.startswith("</script><!--[∎ × 40]" + 3 * "\ufffd" + "xxx")
    assert len(answer) < LIMITS[0] + 40


def test_missing_answers_are_counted(comparisons, chosen, answers):
    read = answers()
    texts = collect_texts(
        comparisons[:1],
        chosen,
        lambda file: None if file.run.method == "weft" else read(file),
        max_bytes=10**6,
    )
    assert texts.num_missing == 2
    sheet = texts.sheets[comparisons[0].columns[2].key]
    assert set(sheet.answers) == {None}
    assert set(sheet.extracted) == {"7"}


def test_reasons_and_extracted_answers_are_cut_too(comparisons, chosen, answers, with_scores):
    column = comparisons[0].columns[2]
    file = column.files["gsm8k"]
    scores = [item.model_copy(update={"reason": "r" * 10**5, "extracted": None}) for item in file.scores]
    files = {**column.files, "gsm8k": with_scores(file, scores)}
    changed = replace(comparisons[0], columns=(*comparisons[0].columns[:2], replace(column, files=files)))
    sheet = collect_texts([changed], chosen, answers(), max_bytes=10**6).sheets[column.key]
    place = list(chosen).index("gsm8k") * 10
    assert 3_900 < len(sheet.reasons[place]) < 4_100
    assert sheet.extracted[place] is None
