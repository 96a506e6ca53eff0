import re
import shutil
import subprocess

import pytest

from weft.report.paper_latex import paper_latex

NOTES = ("A note of the table, 100 %.",)
DOCUMENT = r"""\documentclass[11pt]{article}
\usepackage{booktabs}
\usepackage[textwidth=5.5in]{geometry}
\begin{document}
\input{table1}
\end{document}
"""


def test_latex_is_ascii_and_has_the_caption_above(of_paper):
    experiment, tables = of_paper
    text = paper_latex(experiment, tables["table1"], label="x", notes=NOTES)
    assert text.isascii()
    assert text.index(r"\caption") < text.index(r"\begin{tabular}{l")
    assert r"\label{tab:x}" in text
    assert r"tests \& nothing else, 100\_\% synthetic." in text
    assert text.count(r"\textbf{s1k}") == 1
    assert r"\scriptsize A note of the table, 100 \%." in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize("kind", ["paper", "ablations"])
def test_latex_fits_a_page_that_is_five_and_a_half_inches_wide(kind, of_paper, several, tmp_path):
    experiment, tables = of_paper if kind == "paper" else (several[0], several[2])
    (tmp_path / "table1.tex").write_text(paper_latex(experiment, tables["table1"], label="x", notes=NOTES))
    (tmp_path / "page.tex").write_text(DOCUMENT)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "page.tex"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:]
    assert not re.search(r"Overfull \\hbox", result.stdout), result.stdout
