"""What a reader must know about each table, a sentence each."""

import pandas as pd

from weft.config import StoredGenerations
from weft.report.labels import PLUS_MINUS
from weft.report.outputs import AnyExperiment, is_paper
from weft.report.published import MIXED, TABLE_1_LENGTHS

RULES = {
    "d1": "Rules d1: verdict for verdict what the evaluation code of d1 says; Sudoku counts the empty cells.",
    "strict": (
        "Rules strict: the last stated answer by its value, exact arithmetic, whole Sudoku boards by any "
        "valid completion."
    ),
}


def on_scores(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what the intervals of the runs cover, and what counts."""
    notes: tuple[str, ...] = (
        "The intervals say how far an accuracy could be off because other questions might have been asked; "
        "they do not cover another training seed.",
        "Unscorable answers count as not right. Where Sudoku's units are its empty cells, correct still "
        "counts whole boards.",
    )
    if "published_accuracy" in frame:
        notes += ("Published: d1's own table for this model, over all questions; empty where it has none.",)
    return notes


def on_methods(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what is averaged over training seeds."""
    return (
        "Mean, sample standard deviation (sd), minimum and maximum over training seeds, in percent.",
        "Intervals by bootstrap over examples and seeds; of a single run over examples only.",
        "The average is the unweighted mean over the benchmarks.",
    )


def on_contrasts(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what the paired intervals cover, and how many of them would exclude zero by chance."""
    if len(frame) and min(frame["num_seeds_treatment"].min(), frame["num_seeds_control"].min()) == 1:
        covered = (
            "With a single seed per method the intervals cover the questions only, not the noise of training."
        )
    else:
        covered = (
            "Paired bootstrap over examples, the same for both methods, and over training seeds, "
            "within each method."
        )
    level = 1 - experiment.statistics.confidence
    chance = (
        f"Were there no difference anywhere, about {100 * level:g} % of such intervals would still exclude "
        f"zero; here are {len(frame)}."
    )
    if "p_holm" not in frame:
        return covered, chance
    tested = frame["p_holm"].notna() & (frame["rules"] == experiment.scoring[0])
    corrected = (
        f"{int(tested.sum())} comparisons on the average over benchmarks were tested"
        f"{' by each set of rules' if len(experiment.scoring) > 1 else ''}; p, Holm is corrected for that "
        f"number. It cannot be below {2 * tested.sum() / (experiment.statistics.num_resamples + 1):.2g}, "
        "however large the smallest difference. The intervals are not corrected."
    )
    return covered, chance, corrected


def on_rules(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what each set of rules counts."""
    return (
        *(RULES[rules] for rules in experiment.scoring),
        "Published: d1's own table for this model, over all questions; n is what is at hand.",
    )


def on_answers(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what is counted about the answers."""
    return (
        "Tokens: of the canvas, without end-of-text and end-of-turn. No end: the answer fills its canvas. "
        "Not closed: no closing answer tag before the end.",
        "Sudoku: boards that repeat the puzzle; boards with cells left at 0; shares of the empty cells, "
        "right by the valid completion that agrees most; boards that are a valid completion.",
    )


def on_costs(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what the ratios are of."""
    return (
        "Wall time of an optimiser step, probe pass included: median over seeds of each run's median; its "
        "ratio to the control's, and the smallest and largest ratio of two runs with the same seed.",
        "Other jobs may have shared the machine.",
    )


def on_gradients(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what the shares and the variance are."""
    num_draws = " to ".join(str(one) for one in sorted({frame["num_draws"].min(), frame["num_draws"].max()}))
    return (
        f"Before training, {num_draws} draws of times and masks. Quintile 1: the answer tokens that the base "
        "model is surest about; padding is in no quintile, and has what is missing to 100 %.",
        "Weight and loss: shares of their expectations. Gradient: E g_q · E g / |E g|², the part of the mean "
        "gradient that comes from the quintile. Relative variance: E|g − E g|² / |E g|² of a step's "
        "gradient. Intervals: 95 %, over draws.",
    )


def on_ratios(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what a ratio is."""
    return (
        "Ratio: root of a token's entropy over the mean root of its example, r = √H / mean √H, under the "
        "base model with the whole answer masked; a token with ratio r is masked with probability "
        "r/(1 + r) on average.",
    )


def on_headline(experiment: AnyExperiment, rules: str) -> tuple[str, ...]:
    """Say what the numbers of a set of rules are."""
    if isinstance(experiment, StoredGenerations):
        published = (
            " The second row is the published table, empty where it has nothing, over all questions; the "
            "generations at hand may answer a part of them, see n in the scores table."
        )
        return (f"Accuracy in percent.{published if rules == experiment.scoring[0] else ''}", RULES[rules])
    spread = f"{PLUS_MINUS} sample standard deviation" if len(experiment.seeds) > 1 else "one seed, no spread"
    counts = f"Accuracy in percent: mean over {len(experiment.seeds)} training seeds, {spread}."
    notes = (
        counts,
        "The spread is that of the seeds; uncertainty from the questions is in the contrasts table.",
        RULES[rules],
    )
    return (*notes, _mixed_note()) if is_paper(experiment) else notes


def on_published(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    """Say what an empty cell means."""
    return (
        "Empty: not published, or not known to us. Published numbers come from one seed.",
        _mixed_note(),
    )


def _mixed_note() -> str:
    lengths = ", ".join(f"{name} {length}" for name, length in TABLE_1_LENGTHS.items())
    return f"Lengths of the paper ({MIXED}): its averages most likely use {lengths} tokens; an inference."
