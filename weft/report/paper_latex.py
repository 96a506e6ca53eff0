"""Write the paper's table as LaTeX."""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from weft.config import FineTuning
from weft.report.labels import full_caption, method_label, percent
from weft.report.markup import escape_latex
from weft.report.paper_table import PUBLISHED, accuracy_heading, accuracy_names, gain_texts
from weft.report.published_numbers import MIXED

LATEX_HEAD = r"""% Requires the package booktabs.
\begin{{table}}
\centering
\caption{{{caption}}}
\label{{tab:{label}}}
\vspace{{4pt}}
\footnotesize
\setlength{{\tabcolsep}}{{3pt}}
\begin{{tabular}}{{l{columns}}}
\toprule
"""
LATEX_FOOT = r"""\bottomrule
\end{{tabular}}

\vspace{{3pt}}
\parbox{{\linewidth}}{{\scriptsize {notes}}}
\end{{table}}
"""
HEADING_WIDTH = 9
"""Number of characters above which a heading is broken into lines, so that the table fits 5.5 inches."""


def paper_latex(experiment: FineTuning, frame: pd.DataFrame, *, label: str, notes: Sequence[str]) -> str:
    """Return the table as a LaTeX float of at most 5.5 inches, with the caption above.

    Args:
        experiment: the experiment.
        frame: the table of `compute_paper_table`.
        label: name of the table; the label of the float is ``tab:`` and this name.
        notes: sentences that stand below the table.

    Returns:
        The float, which requires the package booktabs. A group of rows has its training set as a heading,
        if there are several groups.
    """
    names = accuracy_names(experiment)
    gains = ["gain", *(["relative\ngain, %"] if experiment.gain_control else [])]
    headings = [*(accuracy_heading(experiment, frame, name) for name in names), *gains]
    num_columns = 1 + len(headings)
    groups = list(frame.groupby(["dataset", "gen_length"], sort=False))
    lines = [" & ".join(["method", *map(_latex_heading, headings)]) + r" \\"]
    for _, rows in groups:
        lines.append(r"\midrule")
        if len(groups) > 1:
            lines.append(rf"\multicolumn{{{num_columns}}}{{l}}{{{_group_title(frame, rows)}}} \\")
        lines += [_latex_row(row, names, num_gains=len(gains)) for row in rows.to_dict("records")]
    head = LATEX_HEAD.format(
        caption=escape_latex(_latex_caption(experiment, frame)), label=label, columns="r" * len(headings)
    )
    foot = LATEX_FOOT.format(notes=escape_latex(" ".join(notes)))
    return head + "\n".join(lines) + "\n" + foot


def _latex_caption(experiment: FineTuning, frame: pd.DataFrame) -> str:
    published = " Rows in italics are published." if (frame["source"] == PUBLISHED).any() else ""
    return f"{experiment.title}: accuracy and gain over the base model.{published} {full_caption(experiment)}"


def _group_title(frame: pd.DataFrame, rows: pd.DataFrame) -> str:
    dataset, length = rows["dataset"].iloc[0], rows["gen_length"].iloc[0]
    tokens = "" if length == MIXED or frame["gen_length"].nunique() == 1 else f", {length} tokens"
    return rf"\textbf{{{escape_latex(f'{dataset}{tokens}')}}}"


def _latex_row(row: Mapping[object, object], names: list[str], *, num_gains: int) -> str:
    """Return a row; the standard deviation is a subscript, which needs less space than the text format."""
    is_published = row["source"] == PUBLISHED  # and stands below the measured row of the same method
    cells = [r"\quad published" if is_published else escape_latex(method_label(str(row["method"])))]
    for name in names:
        mean, sd = (float(str(row[f"{kind}_{name}"])) for kind in ("accuracy", "sd"))
        cells.append(percent(mean) + ("" if pd.isna(sd) else rf"$_{{\pm {percent(sd)}}}$"))
    cells += [escape_latex(text) for text in gain_texts(row)[:num_gains]]
    if is_published:
        cells = [rf"\textit{{{cell}}}" if cell else "" for cell in cells]
    return " & ".join(cells) + r" \\"


def _latex_heading(heading: str) -> str:
    """Return a heading, broken before a parenthesis and behind a comma if it is long."""
    lines = re.split(r" (?=\()|(?<=,) |\n", heading) if len(heading) > HEADING_WIDTH else [heading]
    if len(lines) == 1:
        return escape_latex(heading)
    stacked = r"\\".join(map(escape_latex, lines))
    return rf"\begin{{tabular}}[b]{{@{{}}r@{{}}}}{stacked}\end{{tabular}}"
