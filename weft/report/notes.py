"""The sentences below each table that define its numbers."""

from collections.abc import Callable, Mapping

import pandas as pd

from weft.config import Experiment, FineTuning
from weft.report.costs import has_other_methods
from weft.report.counterparts import TABLE_1_LENGTHS, has_paper_lengths, has_published_numbers
from weft.report.labels import BENCHMARKS, DASH, MINUS, PLUS_MINUS, method_label
from weft.report.outputs import PAPER_TABLE
from weft.report.published_numbers import MIXED
from weft.report.words import MIN_OCCURRENCES, MIN_SHARE, NUM_SHOWN
from weft.stats import AVERAGE, MIN_QUESTIONS, MIN_SEEDS, MIN_SEEDS_OF_ONE, POWER

SCORINGS = {
    "d1": (
        "The d1 scoring gives the verdicts of d1's evaluation code; the accuracy on Sudoku is the share of "
        "empty cells that are filled correctly."
    ),
    "strict": (
        "The strict scoring compares the value of the last stated answer, with exact arithmetic; a Sudoku "
        "board counts as a whole, and is correct if it is a valid completion of the puzzle."
    ),
}
PUBLISHED = (
    "Published accuracies are those of d1 for this model and cover all N questions of a benchmark, of which "
    "the n answers here are a part. Intervals are for the accuracy on all of them and contain the "
    "finite-population factor √(1 − n/N): they are Wilson intervals for n/(1 − n/N) answers. There is none "
    "if n = N."
)


MIXED_NOTE = (
    f"The averages of the paper (length {MIXED}) most likely use answers of "
    f"{', '.join(f'{length} tokens for {BENCHMARKS[name]}' for name, length in TABLE_1_LENGTHS.items())}; "
    "this is inferred."
)
FIXED: Mapping[str, tuple[str, ...]] = {
    "methods": (
        "Mean, sample standard deviation (sd), minimum and maximum over training seeds are in percent.",
        "Intervals are Wilson intervals that cover the choice of questions and of training seeds; for a "
        "single run, of questions only.",
        "The average is the unweighted mean over the benchmarks.",
    ),
    "answers": (
        "Accuracy is the mean over runs, by the first scoring. Tokens are counted up to the first "
        "end-of-text or end-of-turn token; an answer without one reaches the length limit. Steps are the "
        "denoising steps of an answer.",
        "For Sudoku, the table counts boards that repeat the puzzle and boards in which a cell to fill is "
        "left blank (0), gives the share of these cells that are left blank and the share that agree with "
        "the closest valid completion, and counts the boards that are a valid completion.",
    ),
    "learning_curves": (
        "Accuracies are means and sample standard deviations over training seeds on validation questions, by "
        "the first scoring. The last column gives the lowest and the highest average of a seed.",
    ),
    "agreement": (
        "The table compares the verdicts under d1 scoring with those of d1's own evaluation code "
        "(eval/parse_and_get_acc.py at commit 837888f) on the same answers; for Sudoku, the number of "
        f"correct cells must be equal. A {DASH} stands for generations on which d1's verdicts are not known.",
    ),
    "ratios": (
        "The ratio of a token is the root of its entropy over the mean root in its example, "
        "r = √H / mean √H, under the base model with the whole answer masked. A token with ratio r is "
        "masked with probability r/(1 + r) on average.",
    ),
    "words": (
        f"The table shows the {NUM_SHOWN} frequent words of the training answers at each end of the ranking "
        "by mean entropy under the base model with the whole answer masked; the CSV file has all of them. "
        f"A word is frequent if it occurs at least {MIN_OCCURRENCES} times and makes up at least "
        f"{100 * MIN_SHARE:g} % of all words. If there is no such word, numbers and operation signs are "
        "ranked.",
    ),
    "published": (
        "A cell is empty if the number is not published, or not known to us. Published numbers are from one "
        "training seed.",
        MIXED_NOTE,
    ),
}
"""Name of a table -> notes that do not depend on its numbers."""


METHODS_OF_EVALUATION = (
    "Accuracies are in percent; intervals are Wilson intervals that cover the choice of questions.",
    "The average is the unweighted mean over the benchmarks.",
)


def table_notes(experiment: Experiment, name: str, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the notes on a table that is not a headline table.

    Args:
        experiment: the experiment.
        name: name of the table.
        frame: its numbers.

    Returns:
        Whole sentences.
    """
    if name == "methods" and not experiment.trained_runs:
        return METHODS_OF_EVALUATION
    return FIXED[name] if name in FIXED else _DEPENDING[name](experiment, frame)


def on_headline(experiment: Experiment, scoring: str) -> tuple[str, ...]:
    """Return the notes on the headline table of a scoring."""
    if not experiment.is_sampled:
        published = (
            " Published accuracies cover all questions of a benchmark, of which the answers here may be a "
            "part; see n in the table of scores. A cell is empty if nothing is published."
        )
        return (
            f"Accuracies are in percent.{published if scoring == experiment.scoring[0] else ''}",
            SCORINGS[scoring],
        )
    is_custom = len(experiment.custom_benchmarks) == len(experiment.benchmark_names)
    defined = () if is_custom else (SCORINGS[scoring],)
    num_seeds = experiment.num_seeds
    spread = (
        f"Accuracies are in percent: mean over {num_seeds} training seeds, {PLUS_MINUS} sample standard "
        "deviation. The spread covers training seeds only; intervals that also cover the choice of questions "
        "are in the tables of methods and of paired comparisons."
    )
    single = (
        "Accuracies are in percent, of a single training seed. Intervals over questions are in the table of "
        "scores."
    )
    fixed = "Accuracies are in percent. Intervals over questions are in the table of the models' accuracies."
    sentences = (spread if num_seeds > 1 else single if num_seeds else fixed, *defined)
    return (*sentences, MIXED_NOTE) if has_paper_lengths(experiment) else sentences


def _on_scores(experiment: Experiment, frame: pd.DataFrame) -> tuple[str, ...]:
    covered = "Intervals cover the choice of questions; they do not cover another training seed."
    if not experiment.trained_runs:
        covered = "Intervals cover the choice of questions; they are about these models as they are."
    counts = "Answers that cannot be scored count as not correct."
    if "sudoku" in experiment.benchmark_names:
        counts += (
            " The column correct counts whole Sudoku boards, also where the accuracy is a share of cells. "
            "Under d1 scoring only the cells to fill are compared; under strict scoring the answer must also "
            "state a whole board that keeps the given digits."
        )
    if "published_accuracy" in frame:
        return counts, PUBLISHED
    if frame["ci_low"].isna().any():
        counts += f" With fewer than {MIN_QUESTIONS} questions, an accuracy over cells has no interval."
    return covered, counts


def _on_contrasts(experiment: Experiment, frame: pd.DataFrame) -> tuple[str, ...]:
    if experiment.num_seeds == 1:
        return (
            "Intervals cover the choice of questions, which both methods share. With a single training seed "
            "they do not cover what another seed would change, so that there is neither a p-value nor a "
            "conclusion: a difference is that of two runs.",
        )
    if frame["ci_low"].isna().all():
        return (f"Intervals and tests require at least {MIN_QUESTIONS} questions on each benchmark.",)
    num_tests = int(frame["p_holm"].notna().sum())
    averages = " of averages" if AVERAGE in set(frame["benchmark"]) else ""
    needed = NOT_TESTED if experiment.num_seeds else NOT_TESTED_MODELS
    single = " The rows of single benchmarks show where a difference arises and have no conclusion."
    single = single if frame["benchmark"].nunique() > 1 else ""
    covered = (
        "Intervals and p-values are from a t distribution and cover the choice of questions, which both "
        "methods share, and of the training seeds of each method. The base model is a single model."
        if experiment.num_seeds
        else FIXED_MODELS
    )
    return (
        covered,
        f"{_count_tests(num_tests, averages, needed)}{single}",
        "The column detectable is the difference that would be found with a probability of "
        f"{100 * POWER:g} %, before the correction.",
    )


FIXED_MODELS = (
    "Intervals and p-values cover the choice of questions, which both models share. They are about these two "
    "models as they are: what another training run of either would give is not known."
)
NOT_TESTED = (
    f"A test requires at least {MIN_SEEDS} training seeds of each method, {MIN_SEEDS_OF_ONE} for a "
    "comparison with the base model, and runs that could be scored."
)


NOT_TESTED_MODELS = "A test requires answers of both models that could be scored."


def _count_tests(num_tests: int, averages: str, needed: str) -> str:
    if num_tests == 0:
        return f"No comparison is tested. {needed}"
    if num_tests == 1:
        return f"There is one comparison{averages}, so that p, Holm is equal to p. {needed}"
    return (
        f"There are {num_tests} comparisons{averages}; the column p, Holm is corrected for this number, and "
        "the conclusion depends on it. The intervals are not corrected."
    )


def _on_paper_table(experiment: Experiment, frame: pd.DataFrame) -> tuple[str, ...]:
    assert isinstance(experiment, FineTuning), "only a fine-tuning has this table"
    num_seeds = len(experiment.seeds)
    spread = (
        f"mean over {num_seeds} training seeds {PLUS_MINUS} sample standard deviation"
        if num_seeds > 1
        else "a single training seed"
    )
    sentences = (
        f"Accuracies are in percent by the first scoring: {spread}.",
        f"The gain is the average minus that of the base model.{_on_relative_gain(experiment)}",
    )
    if not has_published_numbers(experiment):
        return sentences
    published = (
        "Published numbers are those of the paper and, where it has none or they are not known to us, of d1; "
        "their gains follow from their averages."
    )
    return (*sentences, published, *((MIXED_NOTE,) if has_paper_lengths(experiment) else ()))


def _on_relative_gain(experiment: FineTuning) -> str:
    """Return sentences on the relative gain, with a space before them; nothing if there is none."""
    if experiment.gain_control is None:
        return ""
    control = method_label(experiment.gain_control)
    return (
        f" The relative gain is (gain / gain of {control}) {MINUS} 1; its interval is in the table of the "
        f"gains. It is in parentheses if the gain of {control} is not clearly above zero, because it may "
        "then have any value."
    )


def _on_seeds(experiment: Experiment, frame: pd.DataFrame) -> tuple[str, ...]:
    treatment, control = map(method_label, experiment.comparisons[0])
    return (
        f"The table shows the accuracy of {treatment} minus that of {control} for runs with the same "
        "training seed, by the first scoring, and the number of questions that only one of them "
        "answers correctly. For Sudoku, an answer is correct if the whole board is.",
    )


def _on_gains(experiment: Experiment, frame: pd.DataFrame) -> tuple[str, ...]:
    assert isinstance(experiment, FineTuning), "only a fine-tuning has gains"
    gain = (
        "The mean is over benchmarks and training seeds, by the first scoring; the gain is the mean "
        "minus the accuracy of the base model."
    )
    if experiment.gain_control is None:
        return (gain,)
    control = method_label(experiment.gain_control)
    return (
        gain,
        f"The relative gain says how much larger the gain is than that of {control} on the same training "
        f"set: (gain / gain of {control}) {MINUS} 1. Its interval covers questions and, if there are "
        "several, training seeds, and is not corrected for the number of comparisons.",
        f"If the gain of {control} is not clearly above zero, before any correction, if there are fewer than "
        f"{MIN_QUESTIONS} questions on a benchmark, or if a run could not be scored, the relative gain may "
        "have any value.",
    )


def _on_speed(experiment: Experiment, frame: pd.DataFrame) -> tuple[str, ...]:
    assert isinstance(experiment, FineTuning), "only a fine-tuning has learning curves"
    reference = method_label(experiment.reference_method)
    return (
        "The table shows after how many optimiser steps the accuracy on validation questions first reaches "
        "the level half-way between the base model and the mean last point of "
        f"{reference} on the same training set; a smaller number means faster "
        "learning. The level is the same for all methods. Accuracies between two points are interpolated "
        "linearly.",
        f"Each number is a mean over training seeds; a {DASH} stands for runs that do not reach the level, "
        "which the means leave out, and the number of the other runs is then in parentheses. The "
        "average is that of the curve of the mean over benchmarks. The last column lists it for the seeds "
        f"{', '.join(map(str, experiment.seeds))}, in this order; the CSV file has each seed of each "
        "benchmark.",
    )


def _on_costs(experiment: Experiment, frame: pd.DataFrame) -> tuple[str, ...]:
    step = (
        "Seconds per step are the wall time of an optimiser step, probe pass included: the median over seeds "
        "of the median of each run."
    )
    ratio = (
        " The ratio is that of two such medians; the range is that of the ratios of two runs with the same "
        "seed."
    )
    return (
        step + (ratio if has_other_methods(frame) else ""),
        "Operations are counted, not measured: a forward pass over the batch is 1, with about 2 operations "
        "per parameter and token; a backward pass is 2, or 1 if only adapters are trained; the recomputation "
        "of activations is 1; a probe is a forward pass. The share of the probe is by this count.",
        "Seconds of training and sampling and GPU hours are sums over the runs. The time of sampling is that "
        "of the last job of a run; GPU hours cover training and sampling. A cell is empty if a value is not "
        "known for all runs, or no GPU was used. Timings were taken on a machine that other jobs may have "
        "shared.",
    )


def _on_unscorable(experiment: Experiment, frame: pd.DataFrame) -> tuple[str, ...]:
    if frame.empty:
        return ("Every answer has a verdict.",)
    return (
        "Each row is an answer without a verdict, which counts as not correct. A comparison that timed out "
        "exceeded a limit on processor time twice, the second time alone and under a larger limit.",
    )


def _on_rules(experiment: Experiment, frame: pd.DataFrame) -> tuple[str, ...]:
    return (*(SCORINGS[scoring] for scoring in experiment.scoring), PUBLISHED)


def _on_gradients(experiment: Experiment, frame: pd.DataFrame) -> tuple[str, ...]:
    num_draws = " to ".join(map(str, sorted({frame["num_draws"].min(), frame["num_draws"].max()})))
    return (
        f"Gradients are those of the base model over {num_draws} draws of times and masks. Quintile 1 "
        "contains the answer tokens with the lowest entropy under the base model. Padding is in no quintile "
        "and makes up the rest to 100 %.",
        "Shares of weight and loss are those of their expectations. The share of the gradient is "
        "E g_q · E g / |E g|², the part of the mean gradient that comes from the quintile. The relative "
        "variance is E|g − E g|² / |E g|² of the gradient of one optimiser step. Intervals are 95 % "
        "jackknife intervals over draws.",
    )


_DEPENDING: Mapping[str, Callable[[Experiment, pd.DataFrame], tuple[str, ...]]] = {
    PAPER_TABLE: _on_paper_table,
    "scores": _on_scores,
    "gains": _on_gains,
    "contrasts": _on_contrasts,
    "seeds": _on_seeds,
    "learning_speed": _on_speed,
    "costs": _on_costs,
    "rules": _on_rules,
    "unscorable": _on_unscorable,
    "gradients": _on_gradients,
}
