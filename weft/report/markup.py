"""Tables as Markdown and LaTeX."""

from collections.abc import Iterable

from weft.report.presentation import TEXT_HEADINGS, Table

WIDE = 8  # columns; wider tables are set smaller in LaTeX
LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "–": "--",
    "√": r"$\surd$",
    "²": r"$^2$",
    "·": r"$\cdot$",
    "\n": " ",
}


def to_markdown(table: Table) -> str:
    """Write a table as Markdown: title, table, notes, caption."""
    rules = [":---" if heading in TEXT_HEADINGS else "---:" for heading in table.cells.columns]
    rows = [_markdown_row(row) for row in table.cells.itertuples(index=False)]
    lines = [_markdown_row(table.cells.columns), _markdown_row(rules), *rows]
    notes = " ".join(table.notes)
    return "\n".join(
        [f"**{table.title}**", "", *lines, "", *([notes, ""] if notes else []), f"*{table.caption}*", ""]
    )


def to_latex(table: Table) -> str:
    """Write a table as a LaTeX float that needs no package; notes and caption stand below."""
    columns = "".join("l" if heading in TEXT_HEADINGS else "r" for heading in table.cells.columns)
    caption = " ".join((f"{table.title}.", *table.notes, table.caption))
    size = r"\scriptsize" if len(columns) > WIDE else r"\small"
    lines = [
        r"\begin{table}",
        r"\centering",
        size,
        rf"\begin{{tabular}}{{{columns}}}",
        r"\hline",
        _latex_row(table.cells.columns),
        r"\hline",
        *(_latex_row(row) for row in table.cells.itertuples(index=False)),
        r"\hline",
        r"\end{tabular}",
        rf"\caption{{{escape_latex(caption)}}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """Make any text safe to compile, outside of mathematics."""
    return "".join(LATEX.get(character, character) for character in text)


def _markdown_row(cells: Iterable[object]) -> str:
    escaped = (str(cell).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _latex_row(cells: Iterable[object]) -> str:
    return " & ".join(escape_latex(str(cell)) for cell in cells) + r" \\"
