r"""Plain writing of an answer in LaTeX: one spelling for each sign, no layout, braces around all arguments.

    write_plainly(r"\color{red}{\dfrac\pi2}\,\mathrm{cm}")  returns  r"\frac{\pi}{2} \text{cm}"

Answers are written in many ways that look the same in print. `weft.benchmarks.latex_answers` compares them
after this step, so that it has to know one spelling only. Nothing is computed except repeating decimals,
which no parser reads. An answer has at most a thousand characters, and each pattern passes over it once.
"""

import itertools
import re
import unicodedata
from fractions import Fraction

from weft.benchmarks.extraction import Step, rewrite

MAX_DEPTH = 50
"""Deepest nesting of braces that is rewritten; deeper answers are compared as they stand."""

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", "0123456789+-=()ni", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎", "0123456789+-=()", strict=True))
_NAMES = "emptyset infty pi times div le ge ne approx cup cap in sqrt cdot cdot pm"
_SIGNS = {
    **{sign: f"\\{name} " for sign, name in zip("∅∞π×÷≤≥≠≈∪∩∈√·⋅±", _NAMES.split(), strict=True)},
    **dict.fromkeys("−–‐‑﹣－", "-"),
    **dict.fromkeys("∕⁄／", "/"),
    **dict.fromkeys("“”„‟\"", ""),
    **dict.fromkeys("’‘′", "'"),
    **dict.fromkeys("″", "''"),
    **dict.fromkeys("€£¥¢₹₽₩", ""),
    **dict.fromkeys("\u200b\u2060\ufeff✓✔", ""),
    "°": r"^\circ ",
    "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}",
    "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}",
    "ℂ": r"\mathbb{C}",
    "⌊": r"\lfloor ",
    "⌋": r"\rfloor ",
    "⌈": r"\lceil ",
    "⌉": r"\rceil ",
    "…": r"\ldots ",
    "⩾": r"\ge ",
    "⩽": r"\le ",
    "⟨": r"\langle ",
    "⟩": r"\rangle ",
}  # fmt: skip
_SIGN = re.compile("[" + re.escape("".join(_SIGNS)) + "]")

_SIZES = (
    "left|right|big|Big|bigg|Bigg|bigl|bigr|bigm|Bigl|Bigr|Bigm|biggl|biggr|Biggl|Biggr|middle|mleft|mright"
)
_LAYOUT = (
    "displaystyle|textstyle|scriptstyle|scriptscriptstyle|tiny|scriptsize|footnotesize|small|normalsize|large"
    "|Large|LARGE|huge|Huge|bf|it|rm|sf|tt|sc|bfseries|itshape|rmfamily|sffamily|ttfamily|mdseries|upshape"
    "|normalfont|limits|nolimits|displaylimits|centering|noindent|strut|mathstrut|nonumber|notag|relax|hfill"
    "|mathbf|mathit|mathsf|mathtt|mathnormal|boldsymbol|pmb|bm|underline|uline|ensuremath|mathop|mathord"
    "|mathrel|mathbin|mathopen|mathclose|mathinner|framebox|emph"
)
_TEXT = (
    "text|textbf|textit|textrm|textsf|texttt|textup|textmd|textsc|textnormal|mathrm|mbox|hbox|operatorname"
)
_WITH_ARGUMENT = "color|textcolor|colorbox|hspace|vspace|phantom|hphantom|vphantom|tag|label|fontsize|mspace"
_SPACES = r"quad|qquad|thinspace|medspace|thickspace|enspace|enskip|space|nobreakspace|nobreak|allowbreak"
_MARKS = "therefore|because|blacksquare|square|Box|qed|checkmark|newline|n|linebreak|par|ldotp"
_LINES = "align|aligned|alignat|gather|gathered|equation|split|multline|displaymath|math|center"
_END = r"(?![A-Za-z])"
_UNIT = r"\s*\\(?:text|mathrm|textrm|mbox)\s*\{\s*([a-z ]+)\}\s*"

_ESCAPED_TWICE = (
    (re.compile(r"\\{4}"), r"\\\\"),
    (re.compile(r"\\\\(?=[A-Za-z$%(){}\[\],;:!])"), r"\\"),
)
_MARKUP = (
    (re.compile(r"^\s*```[a-z]*\s|\s```\s*$"), " "),  # a block of code
    (re.compile(r"(?<!\\)(?:\\[()\[\]]|\$)"), ""),  # begin and end of mathematics
    (re.compile(r"(?<![^\s.])\*\*|\*\*(?![^\s.:;,])"), ""),  # bold type; a power has no space on either side
    (re.compile(r"\*\*\s*([0-9]+|\w)"), r"^{\1}"),
    (re.compile(r"^\s*(?:#+|[*•])\s"), ""),  # a heading, an item of a list
    (re.compile(r"^\s*(`|\*|__?)(?=\S)(.*[^\s^_*])\1(?=[.\s]*$)", re.DOTALL), r"\2"),
)
_LAYOUT_STEPS: tuple[Step, ...] = (
    (re.compile(rf"\\(?:begin|end)\s*\{{(?:{_LINES})\*?\}}"), " "),
    (re.compile(rf"\\(?:{_WITH_ARGUMENT}){_END}\*?\s*(?:\[[^\[\]]*\]\s*)?\{{[^{{}}]*\}}"), " "),
    (re.compile(rf"\\(?:{_SIZES}){_END}\s*(?:\.|(?=[^A-Za-z0-9.\s]))"), ""),
    (re.compile(rf"\\(?:{_LAYOUT}){_END}"), " "),
    (re.compile(r"\\(?:[dtcsx]|nice)frac" + _END), r"\\frac"),
    (re.compile(r"\{(?:psmall|small|bsmall)matrix\}"), "{pmatrix}"),
    (re.compile(r"\\!"), ""),
    (re.compile(rf"\\(?:{_MARKS}){_END}"), " "),
    (re.compile(rf"\\cr{_END}"), r"\\\\"),
    (re.compile(rf"\\([lr])brace{_END}"), lambda match: r"\{" if match[1] == "l" else r"\}"),
    (re.compile(rf"(?<=[0-9}}\s~])\\frac\s*\{{{_UNIT}\}}\s*\{{{_UNIT}\}}"), r"\\text{\1/\2}"),
    (re.compile(rf"\\bigcup{_END}"), r"\\cup"),
    (re.compile(rf"\\bigcap{_END}"), r"\\cap"),
    (re.compile(rf"\\(?:backslash|smallsetminus){_END}"), r"\\setminus"),
    (re.compile(rf"\\Bbb{_END}"), r"\\mathbb"),
    (re.compile(rf"\\(?:{_SPACES}){_END}|(?<!\\)\\[,:;>\s]|~|\s"), " "),
    (re.compile(rf"\\(?:pounds|euro|texteuro|textdollar|mathdollar|yen){_END}|\\\$"), " "),
    (
        re.compile(rf"\^\s*\{{\s*\\(?:circ|degree){_END}\s*\}}|\^?\s*\\(?:degree|circ|textdegree){_END}\s*"),
        r"^\\circ ",
    ),
    (re.compile(r"\^\s*\{?\s*\\text\s*\{\s*o\s*\}\s*\}?"), r"^\\circ "),
    (re.compile(rf"\\(?:cdots|dots|dotsc|dotsb|dotso){_END}|\.\.\.+"), r"\\ldots "),
    (re.compile(rf"\\(?:ast|star){_END}"), "*"),
    (re.compile(rf"\\(?:varnothing|O){_END}|\\\{{\s*\\\}}"), r"\\emptyset "),
    (re.compile(rf"\\mid{_END}|\\[lr]?vert{_END}|\\\|"), "|"),
    (re.compile(rf"\\(?:equiv|coloneqq){_END}"), "="),
    (re.compile(rf"\\(?:simeq|approxeq|cong|sim){_END}"), r"\\approx "),
    (re.compile(rf"\\colon{_END}|\{{\s*:\s*\}}|\\text\s*\{{\s*:\s*\}}"), ":"),
    (re.compile(r"(?<![a-z])\{\s*,\s*\}"), ","),
    (re.compile(rf"\\(?:geq|geqslant|geqq){_END}|>="), r"\\ge "),
    (re.compile(rf"\\(?:leq|leqslant|leqq){_END}|<="), r"\\le "),
    (re.compile(r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}"), r"\\frac{\1}{\2}"),
)
_TEXT_COMMAND = re.compile(rf"\\(?:{_TEXT}){_END}\*?\s*\{{([^{{}}]*)\}}")
_LAST_STEPS = (
    (re.compile(r" +"), " "),
    (re.compile(r"[\\.,;:\s]+$"), ""),  # the end of a sentence, a line or an escaped space
    (re.compile(r"^(?:\\(?=\\)|(?<=\\)\\|[,;:\s])+"), ""),
)
_REPEATING = re.compile(
    r"(?P<whole>[0-9]*)\.(?P<once>[0-9]*)"
    r"(?:\\(?:overline|bar|dot)\s*(?:\{\s*(?P<overlined>[0-9]+)\s*\}|(?P<digit>[0-9]))"
    r"|\((?P<bracketed>[0-9]+)\)|(?P<dotted>([0-9])\7\7) ?\\ldots)"
)
_BRACED_TERM = re.compile(r"^\{((?:[^{},;+=<>-]|(?<=[a-z_^}])\{[^{}]*\})*)\}$")
_TOKEN = re.compile(r"\\text\{[^{}]*\}|\\[A-Za-z]+|\\.|.", re.DOTALL)
_NUM_ARGUMENTS = {r"\frac": 2, r"\binom": 2, r"\dbinom": 2, r"\tbinom": 2, r"\sqrt": 1, "^": 1, "_": 1}


def write_plainly(latex: str) -> str:
    r"""Rewrite an answer with one spelling for each sign, without layout and with braces around arguments.

    Text commands become `\text{...}`; if their content has a digit, it becomes part of the mathematics.
    Spaces of all widths become a blank, and the marks at the end of a sentence are dropped.

    Args:
        latex: an answer in LaTeX, Markdown or plain text, at most a thousand characters.

    Returns:
        The answer on a single line.
    """
    for escape, plain in _escape_steps(latex):
        latex = escape.sub(plain, latex)
    latex = rewrite(_replace_signs(rewrite(latex, _MARKUP)), _LAYOUT_STEPS)
    latex = _TEXT_COMMAND.sub(_unify_text, latex)
    if r"\begin" not in latex:
        latex = latex.replace(r"\\", " ").replace("&", " ")
    latex = _REPEATING.sub(_write_as_fraction, latex)
    latex = brace_arguments(latex)
    return rewrite(latex, _LAST_STEPS).strip()


def _escape_steps(latex: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the replacements that undo backslashes escaped twice; in a matrix two of them end a row."""
    if r"\begin" in latex and r"\\begin" not in latex:
        return _ESCAPED_TWICE[:1]
    return _ESCAPED_TWICE


def _replace_signs(text: str) -> str:
    """Replace signs beyond ASCII by LaTeX, full-width forms by ASCII, and ½ by a fraction."""
    text = re.sub(f"[{''.join(_SUPERSCRIPTS)}]+", lambda match: _shift("^", match, _SUPERSCRIPTS), text)
    text = re.sub(f"[{''.join(_SUBSCRIPTS)}]+", lambda match: _shift("_", match, _SUBSCRIPTS), text)
    text = re.sub(r"√\s*([0-9.]+)", r"\\sqrt{\1}", text)
    text = re.sub(r"√\s*\(([^()]*)\)", r"\\sqrt{\1}", text)
    text = re.sub(
        r"([∛∜])\s*([0-9]+|[a-z])", lambda match: rf"\sqrt[{'∛∜'.index(match[1]) + 3}]{{{match[2]}}}", text
    )
    text = re.sub("[¼-¾⅐-⅞]", _write_vulgar_fraction, text)
    text = _SIGN.sub(lambda match: _SIGNS[match[0]], text)
    return "".join(
        unicodedata.normalize("NFKC", char) if "\uff01" <= char <= "\uff5e" else char for char in text
    )


def _shift(sign: str, match: re.Match[str], signs: dict[str, str]) -> str:
    shifted = "".join(signs[char] for char in match[0])
    return sign + (shifted if len(shifted) == 1 else f"{{{shifted}}}")


def _write_vulgar_fraction(match: re.Match[str]) -> str:
    value = Fraction(unicodedata.numeric(match[0])).limit_denominator(10)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _unify_text(match: re.Match[str]) -> str:
    r"""Write a text command as `\text{...}`, or as mathematics if it holds a digit or a single letter."""
    content = match[1].strip()
    if not re.search("[A-Za-z]", re.sub(r"\\[A-Za-z]+", "", content)):
        return f" {content} " if content else " "
    if re.search(r"[0-9=<>\\]", re.sub(r"(?<=[A-Za-z])\^\{?[23]\}?", "", content)):
        return f" {content} "
    is_behind_number = re.search(r"(?:[0-9})]|\\pi)\s*$", match.string[: match.start()])
    if content in ("e", "i") or (len(content) == 1 and not is_behind_number):
        return f" {content} "
    return rf"\text{{{match[1]}}}"


def _write_as_fraction(match: re.Match[str]) -> str:
    r"""Write a repeating decimal such as `0.1\overline{6}` as a fraction."""
    repeated = next(match[name] for name in ("overlined", "digit", "bracketed", "dotted") if match[name])
    once = match["once"] + (repeated if match["dotted"] else "")
    scale = 10 ** len(once)
    value = Fraction(int(match["whole"] + once or "0"), scale)
    value += Fraction(int(repeated), scale * (10 ** len(repeated) - 1))
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def brace_arguments(latex: str) -> str:
    r"""Write braces around the arguments of fractions, roots and powers, as in `\frac\pi2` and `2^\frac12`.

    An answer with unbalanced or very deeply nested braces is returned unchanged.
    """
    tokens = _TOKEN.findall(latex)
    depths = list(itertools.accumulate({"{": 1, "}": -1}.get(token, 0) for token in tokens))
    is_balanced = bool(depths) and depths[-1] == 0 and min(depths) == 0
    is_readable = (
        is_balanced and max(depths) <= MAX_DEPTH and sum(map(_NUM_ARGUMENTS.__contains__, tokens)) < 150
    )
    return _write_group(tokens[::-1]) if is_readable else latex


def _write_group(tokens: list[str]) -> str:
    """Write tokens, which are taken from the end of the list, up to the brace that closes their group."""
    written = ""
    while tokens and tokens[-1] != "}":
        item = _write_item(tokens)
        is_argument = re.search(r"[A-Za-z}\])^_] ?$", written)
        written += item if is_argument else _BRACED_TERM.sub(r" \1 ", item)
    return written


def _write_item(tokens: list[str]) -> str:
    """Write the next token together with its arguments."""
    first = tokens.pop()
    if first == "{":
        content = _write_group(tokens)
        tokens.pop()
        return f"{{{content}}}"
    order = _take_root_order(tokens) if first == r"\sqrt" else ""
    arguments = [_write_argument(tokens, first) for _ in range(_NUM_ARGUMENTS.get(first, 0))]
    return "".join([first, order, *arguments])


def _write_argument(tokens: list[str], command: str) -> str:
    while tokens and tokens[-1] == " ":
        tokens.pop()
    if not tokens or tokens[-1] == "}":
        return ""
    if command in ("^", "_") and re.fullmatch("['*+-]", tokens[-1]):
        return ""
    item = _write_item(tokens)
    while command in ("^", "_") and item.isdecimal() and tokens and tokens[-1].isdecimal():
        item += tokens.pop()  # x^10 is meant as a power of 10
    return item if item.startswith("{") else f"{{{item}}}"


def _take_root_order(tokens: list[str]) -> str:
    """Take the order of a root, as in `[3]`, if there is one."""
    while tokens and tokens[-1] == " ":
        tokens.pop()
    if not tokens or tokens[-1] != "[" or "]" not in tokens:
        return ""
    order = ""
    while not order.endswith("]"):
        order += tokens.pop()
    return order
