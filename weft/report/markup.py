"""Write tables as Markdown, and escape text for LaTeX.

pandas does not escape ``<``, ``>`` and ``|``, which LaTeX prints as other characters in its default encoding.
"""

from collections.abc import Iterable

from weft.report.presentation import TEXT_HEADINGS, Table

WIDE = 8
"""Number of columns above which a headline table is transposed on the page."""
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


def escape_latex(text: str) -> str:
    """Escape all characters that LaTeX would not print literally."""
    return text.translate(LATEX)


def _markdown_row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell).translate(MARKDOWN) for cell in cells)} |"
