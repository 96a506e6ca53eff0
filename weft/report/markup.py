"""Write tables as Markdown and LaTeX.

pandas can write both, but its LaTeX requires a package and does not escape ``<``, ``>`` and ``|``, which
LaTeX prints as other characters in its default encoding.
"""

from collections.abc import Iterable

from weft.report.presentation import TEXT_HEADINGS, Table

WIDE = 8
"""Number of columns above which a LaTeX table has a smaller font."""
LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "×": r"$\times$",
        "−": r"$-$",
        "–": "--",
        "√": r"$\surd$",
        "²": r"$^2$",
        "·": r"$\cdot$",
        "\n": " ",
    }
    | {character: rf"\{character}" for character in "&%$#_{}"}
    | {character: f"${character}$" for character in "<>|"}
)
MARKDOWN = str.maketrans({"\\": "\\\\", "|": "\\|", "\n": " "})


def to_markdown(table: Table) -> str:
    """Return a table as Markdown: title, table, notes and caption."""
    headings = list(table.cells.columns)
    rule = [":---" if heading in TEXT_HEADINGS else "---:" for heading in headings]
    rows = [_markdown_row(row) for row in (headings, rule, *table.cells.itertuples(index=False))]
    notes = [" ".join(table.notes), ""] if table.notes else []
    return "\n".join([f"**{table.title}**", "", *rows, "", *notes, f"*{table.caption}*", ""])


def to_latex(table: Table) -> str:
    """Return a table as a LaTeX float that requires no package, with the notes in its caption."""
    headings = list(table.cells.columns)
    caption = " ".join((f"{table.title}.", *table.notes, table.caption))
    rows = [_latex_row(row) for row in table.cells.itertuples(index=False)]
    lines = [
        r"\begin{table}",
        r"\centering",
        r"\scriptsize" if len(headings) > WIDE else r"\small",
        rf"\begin{{tabular}}{{{''.join('l' if heading in TEXT_HEADINGS else 'r' for heading in headings)}}}",
        r"\hline",
        _latex_row(headings),
        r"\hline",
        *rows,
        r"\hline",
        r"\end{tabular}",
        rf"\caption{{{escape_latex(caption)}}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """Escape all characters that LaTeX would not print literally."""
    return text.translate(LATEX)


def _markdown_row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell).translate(MARKDOWN) for cell in cells)} |"


def _latex_row(cells: Iterable[object]) -> str:
    return " & ".join(escape_latex(str(cell)) for cell in cells) + r" \\"
