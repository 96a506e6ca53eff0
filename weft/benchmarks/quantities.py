r"""Quantities in a stated answer: numbers as people write them, with what stands around them.

    read_quantities(r"\$1{,}800 per day", is_boxed=True)   returns   [frozenset({1800})]
    read_quantities("2 hours 30 minutes", is_boxed=True)   returns   [frozenset({150, Fraction(5, 2)})]

A quantity is the set of its values: "2 hours 30 minutes" is 2.5 hours and 150 minutes, and "50%" is 50
percent and 0.5. Other units are not compared. No number is read from inside a command such as `\write18`.
Each pattern passes over the text once; `weft.benchmarks.extraction.MAX_CHARACTERS` bounds its length.
"""

import re
from fractions import Fraction

from weft.benchmarks.extraction import Step, rewrite
from weft.benchmarks.latex_words import NUMBERS

Quantity = frozenset[Fraction]

_FACTORS = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "k": 10**3, "m": 10**6}
# Units of two parts, the second of which is a part of the first: 5 feet 6 inches.
_UNITS = {
    "h": "hour", "hr": "hour", "min": "minute", "m": "minute", "s": "second", "sec": "second", "d": "day",
    "wk": "week", "yr": "year", "ft": "foot", "feet": "foot", "in": "inch", "inche": "inch", "lb": "pound",
    "oz": "ounce", "euro": "dollar", "pence": "cent", "penny": "cent", "¢": "cent", "meter": "metre",
    "cm": "centimetre", "centimeter": "centimetre", "buck": "dollar",
}  # fmt: skip
_SMALLER_UNITS = {
    ("hour", "minute"): 60,
    ("minute", "second"): 60,
    ("day", "hour"): 24,
    ("week", "day"): 7,
    ("year", "month"): 12,
    ("foot", "inch"): 12,
    ("pound", "ounce"): 16,
    ("pound", "cent"): 100,
    ("dollar", "cent"): 100,
    ("", "cent"): 100,  # $29 and 50 cents
    ("metre", "centimetre"): 100,
    ("minute", "centimetre"): 100,  # 1 m 80 cm
}
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: number for number, word in enumerate(NUMBERS)} | {
    word: 10 * number for number, word in enumerate(_TENS.split(), start=2)
}
_MULTIPLES = {"dozen": 12, "hundred": 100, "thousand": 1000}

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_SIGNS = str.maketrans("−–—‐‑‒﹣", "-------") | _FULL_WIDTH
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_PARTS = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5",
    "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
    "⅑": "1/9", "⅒": "1/10",
}  # fmt: skip

_CURRENCY = r"\\?[$€£¥₹₩₽₱₫₦₪฿]|\\(?:pounds|euro|dollar|yen|rupee)(?![A-Za-z])"
_STYLE = (
    r"\\(?:text(?:bf|it|rm|sf|tt|normal|up)?|math(?:bf|it|rm|sf|tt|normal)|mbox|hbox|emph|underline|boldsymbol|bm|"
    r"bf|it|rm|bfseries|displaystyle|textstyle|tiny|small|normalsize|large|Large|LARGE|huge|Huge|boxed|fbox|"
    r"operatorname|quad|qquad|approx|sim|simeq|cong|left|right|[bB]igg?[lr]?|therefore|implies|Rightarrow|"
    r"rightarrow|to|geq?|leq?)(?![A-Za-z])"
)
# Arguments that are no text: \write18, \hspace{2mm}, \color{red}, \tag{3}, \input{18}, \def\x{18}.
_HIDDEN = (
    r"\\(?:textcolor|color|colorbox)\s*(?:\[[^\[\]]*\])?\s*\{[^{}]*\}"
    r"|\\(?:def|(?:re)?newcommand)\s*\{?\s*\\[A-Za-z]+\s*\}?\s*(?:\{[^{}]*\})?"
    r"|\\(?:hspace|vspace|hskip|vskip|kern|mkern|phantom|hphantom|vphantom|tag|label|ref|footnote|input|include|"
    r"special|write|openin|openout|read|catcode|char|csname|href|url|includegraphics|cite|eqref|pageref|rule|fontsize|"
    r"setcounter|addtocounter|setlength)"
    r"(?![A-Za-z])\*?\s*(?:\[[^\[\]]*\]\s*)?(?:[0-9.]*(?:\s*\{[^{}]*\})+|-?[0-9.]+(?:mm|cm|in|pt|em|ex|mu)?)?"
)
_UNKNOWN_COMMAND = r"\\(?!(?:pm|mp|times|cdot|ast|div|sqrt|[dtc]?frac)(?![A-Za-z]))[A-Za-z]+[0-9][0-9.,]*"
_SPACE = r"(?:[ ~\u00a0\u2009\u202f\u2007'’]|\\[,;:! ]|\\?_|\{,\}|,(?:\\[,!]|\{\})?|,[ ](?=0))"
_THOUSANDS = rf"(?<![0-9.,])(?<![0-9]/)[1-9][0-9]{{0,2}}(?:{_SPACE}[0-9]{{3}})+(?![0-9]|,[0-9])"
_LAKHS = r"(?<![0-9.,])[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}(?![0-9]|,[0-9])"
_NO_DIGIT = re.compile(r"[^0-9]+")
_POWER_OF_TEN = (
    r"(?<![0-9.,])(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?:"
    r"(?:[*×·⋅xX]|\\(?:times|cdot|ast)(?![A-Za-z]))\s*10\s*\^\s*\{?\s*(?P<power>-?[0-9]{1,2})(?![0-9])\s*\}?"
    r"|[eE](?P<exponent>[+-]?[0-9]{1,2})(?![0-9A-Za-z]))"
)
_FRACTION = (
    r"\\[dtc]?frac\s*(?:\{\s*(?P<top>-?[0-9]+(?:\.[0-9]+)?)\s*\}|(?P<digit>[0-9]))"
    r"\s*(?:\{\s*(?P<bottom>[0-9]+)\s*\}|(?P<other>[0-9]))"
)
_MIXED = r"(?<![0-9.,/])(?P<whole>[0-9]+)(?:\s+(?:and\s+)?|-)"
_MIXED += r"(?P<part>[0-9]+)/(?P<parts>[0-9]+)(?![0-9/]|[.,][0-9])"
_ORDINAL = r"(?:\\[a-z]+\s*)?\{?\s*(?:st|nd|rd|th)\b\s*\}?"


def _join_digits(number: re.Match[str]) -> str:
    return _NO_DIGIT.sub("", number[0])


def _write_power_of_ten(match: re.Match[str]) -> str:
    """Write a number in scientific notation as a plain fraction: 1.8e1 as 18/1."""
    value = Fraction(match["number"]) * Fraction(10) ** int(match["power"] or match["exponent"])
    return f" {value.numerator}/{value.denominator} "


def _write_fraction(match: re.Match[str]) -> str:
    return f" {match['top'] or match['digit']}/{match['bottom'] or match['other']} "


def _write_mixed_number(match: re.Match[str]) -> str:
    """Write a mixed number as a fraction: 2 1/2 as 5/2; the part must be less than one."""
    whole, part, parts = (int(match[name]) for name in ("whole", "part", "parts"))
    return f" {whole * parts + part}/{parts} " if part < parts else match[0]


# The steps before numbers are looked for, each on the whole text.
_PLAIN: tuple[Step, ...] = (
    (re.compile(r"\\[()\[\]]"), " "),
    (re.compile(r"(?<=[0-9])\s*[⁰¹²³⁴-⁹⁻]+"), lambda run: "^" + run[0].strip().translate(_SUPERSCRIPTS)),
    (re.compile(f"[{''.join(_PARTS)}]"), lambda sign: f" {_PARTS[sign[0]]} "),
    (re.compile(r"(?<=[0-9])\s*⁄\s*(?=[0-9])"), "/"),
    (re.compile(_THOUSANDS), _join_digits),
    (re.compile(_LAKHS), _join_digits),
    (re.compile(_HIDDEN), " "),
    (re.compile(r"\\[,;:! ]"), " "),
    (re.compile(r"^\s*[*_`]+|[*_`]+\s*$|(?<!\S)[*_`]+(?=\S)|(?<=\S)[*_`]+(?!\S)"), " "),  # bold type
    (re.compile(rf"-(?:{_CURRENCY})\s*"), "-"),
    (re.compile(rf"(?:{_CURRENCY})|{_STYLE}"), " "),
    (re.compile(_UNKNOWN_COMMAND), " "),
    (re.compile(r"\{,\}"), ","),
    (re.compile(rf"(?<=[0-9])\s*\^\s*\{{?\s*{_ORDINAL}\s*\}}?"), " "),
    (re.compile(rf"\\textsuperscript\s*{_ORDINAL}"), " "),
    (re.compile(_POWER_OF_TEN), _write_power_of_ten),
    (re.compile(_FRACTION), _write_fraction),
    (re.compile(_MIXED), _write_mixed_number),
    (re.compile(r"(?<=-) +(?=[0-9]+/[0-9])"), ""),  # the result of the previous steps for -\frac{1}{2}
    (re.compile(r"(?<=[A-Za-z.])\s*\}?\s*\^(?:\{[23]\}|[23](?![0-9]))"), " "),  # square metres
    (re.compile(r"\^?\{?(?:\\circ|\\degree)\b\}?"), " "),
    (re.compile(r"(?<=[A-Za-z])\.(?=[0-9])"), " "),  # Rs.18
    (re.compile(r"(?<![A-Za-z])(?:minus|negative)\s+(?=[0-9.])", re.IGNORECASE), "-"),
    (re.compile(r"-\s*[({]\s*(?=[0-9.,]+\s*[)}])"), "-"),
    (re.compile(r"[{}]"), " "),
    # Digits in the names of units and things: 18 m3, 18 CO2 bottles.
    (re.compile(r"(?<=[0-9])(\s+(?!(?:[xXh]|hrs?)[0-9])[A-Za-z]+)[0-9]{1,2}(?![0-9.,/])"), r"\1"),
    (re.compile(r"(?<=[0-9])((?!(?:[xX]|[hH]|hrs?)[0-9])[A-Za-z]+)[0-9]{1,2}(?![0-9A-Za-z.,/])"), r"\1"),
)
_SPACED_MINUS = re.compile(r"-\s+(?=[0-9.])")
_ITEM_OR_MINUS = re.compile(rf"\s*-\s+(?:(?:{_CURRENCY})\s*)?[0-9.][^\n-]*")
_OPERATOR = r"(?:[*^×·⋅÷]|\\times|\\cdot|\\div|\\ast|[xX]\s*(?=[0-9]))"
_OPERATION = re.compile(
    rf"[0-9)]\s*(?:[+!]|{_OPERATOR})|(?<![A-Za-z\\])[A-Za-z]\s*[-+*^]\s*[0-9]|--|\\sqrt|√|±|\\pm|\\mp|\\overline"
)
_BINARY_BEFORE = re.compile(
    rf"(?:[0-9)]\s*(?:[-+/:]|{_OPERATOR}|[xX])|(?<![A-Za-z\\])[A-Za-z]\s*[+*^]|\\sqrt|√|±|\\pm|\\mp|\\overline)\s*$"
)
_BINARY_BEHIND = re.compile(rf"\s*(?:[+]|{_OPERATOR})")
_NUMBER = re.compile(
    r"(?<![0-9.])(?P<sign>(?<![0-9)])-)?"
    r"(?P<number>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?![0-9]|\.[0-9])"  # 1.5.2 is no number
    r"(?:/(?P<denominator>[0-9]++)(?![.,][0-9]))?"
    r"(?:(?P<letter>[kKM])(?![A-Za-z])|\s*(?:(?P<percent>\\?%|percent\b|per\s+cent\b)|(?P<dozen>dozens?\b)"
    r"|(?P<factor>(?:hundred|thousand|million|billion)\b)))?"
)
_CLOCK = re.compile(
    r"(?<![0-9:.])(?P<large>[0-9]{1,3}):(?P<small>[0-5][0-9])(?![0-9:])(?!\s*[aApP]\.?[mM]\b)"
)
_TWO_PARTS = re.compile(
    r"(?<![0-9.,/-])(?P<large>[0-9]++)\s*(?P<unit>(?!and\b)[A-Za-z]+)?\.?\s*(?:,|and\b|\\?&)?\s*"
    r"(?P<small>[0-9]+(?:\.[0-9]+)?)(?![0-9/])\s*(?P<subunit>[A-Za-z¢]+)"
)
_REMARK = re.compile(r"(?<=[0-9A-Za-z%.$])\s*\((?=[^()]*[A-Za-z]{2})[^()]*\)")
_LABEL = re.compile(r"^(?=[^:\n]*[A-Za-z])[^:=\n]*:\s+(?=\S)")
_LEADING = re.compile(
    r"(?P<quantity>-?\s*[0-9][0-9.,/]*(?:\s*%|\s+[A-Za-z]+)?)\s+(?:for|in|per|during|within|after|at)\s+"
    r"(?:[A-Za-z]+\s+){0,2}[0-9][0-9.,]*(?:\s+[A-Za-z]+){0,2}[.!]?"
)
_RESULT = re.compile(
    r"\b(?:is|are|was|were|be|so|gives?|makes?|equals?|total\w*|sum|leaves?|left|has|have|had|needs?|gets?|earns?|"
    r"costs?|pays?|spends?|takes?|answer|therefore|thus|hence|altogether|all|then|means?|becomes?)\b|[→⇒]|[-=]>",
    re.IGNORECASE,
)
_BETWEEN_ASSIGNMENTS = re.compile(r",(?![0-9])|[;\n]|\band\b")
_ASSIGNMENT = re.compile(
    r"\s*(?P<name>[A-Za-z]\w{0,20}(?:\s\w{1,20}){0,2})\s*[=:]\s*(?P<value>[^=:]*[0-9][^=:]*)"
)
_NAME_OF_RESULT = re.compile(r"answer|total|result|final", re.IGNORECASE)


def read_quantities(text: str, *, is_boxed: bool) -> list[Quantity]:
    r"""Return the quantities of an answer, which is right only if they agree.

    Of an equation, the right side counts. An expression such as `3 \cdot 6` is no quantity. Remarks in
    round brackets and labels ("Day 3: 18") are left out. In answer tags, which may hold a sentence, only the
    last quantity counts if the words around it present it as the result.

    Args:
        text: the answer, at most a few thousand characters.
        is_boxed: True if it stood in a box. There, "- 18" is a negative number; elsewhere, the dash may also
            begin an item of a list, and the quantity has both values.

    Returns:
        The quantities, in the order of the text.
    """
    text = text.translate(_SIGNS)
    is_item_or_minus = not is_boxed and bool(_ITEM_OR_MINUS.fullmatch(text))
    text = rewrite(text, _PLAIN)
    if is_boxed or is_item_or_minus:
        text = _SPACED_MINUS.sub("-", text)
    if not _NUMBER.search(text):
        return _read_words(text)
    assigned = _read_assignments(text)
    if assigned:
        return assigned
    _, _, right = _drop_remarks(text).rpartition("=")
    side = right if _NUMBER.search(right) else text
    if is_boxed:
        return [] if _OPERATION.search(side) else _find_quantities(side)
    quantities = _find_quantities(side)
    if is_item_or_minus:
        return [quantity | {-value for value in quantity} for quantity in quantities]
    is_sentence = len(set(quantities)) > 1 or _OPERATION.search(side)
    return _read_last_of_sentence(side) if is_sentence else quantities


def _read_words(text: str) -> list[Quantity]:
    """Return the number in words that a text begins with: two hundred, half a dozen, minus three."""
    words = re.findall(r"[a-z]+", text.lower())
    sign = -1 if words[:1] in (["minus"], ["negative"]) else 1
    words = words[1:] if sign < 0 else words
    value = Fraction(1, 2) if words[:2] == ["half", "a"] else Fraction(0)
    is_number = False
    for word in words[2 if value else 0 :]:
        if word in _MULTIPLES:
            value, is_number = (value or Fraction(1)) * _MULTIPLES[word], True
        elif word in _WORDS and value % 10 == 0:
            value, is_number = value + _WORDS[word], True
        elif word not in ("a", "and"):
            break
    return [frozenset({sign * value})] if is_number else []


def _read_assignments(text: str) -> list[Quantity]:
    """Return the values of a list such as "x = 18, y = 4", or the one that is named as the result."""
    parts = [part for part in _BETWEEN_ASSIGNMENTS.split(text) if part.strip()]
    matches = [match for part in parts if (match := _ASSIGNMENT.fullmatch(part))]
    if len(matches) < len(parts) or len({match["name"] for match in matches}) < 2:
        return []
    if _NAME_OF_RESULT.search(matches[-1]["name"]):
        matches = matches[-1:]
    return [quantity for match in matches for quantity in _find_quantities(match["value"])]


def _drop_remarks(text: str) -> str:
    """Drop what only explains a quantity, as long as a number is left."""
    text = text.strip()
    for pattern in (_REMARK, _LABEL):
        shorter = pattern.sub("", text).strip()
        text = shorter if _NUMBER.search(shorter) else text
    leading = _LEADING.fullmatch(text)
    return leading["quantity"] if leading else text


def _read_last_of_sentence(text: str) -> list[Quantity]:
    """Return the last quantity of a sentence if it is the result; all of them if that is unclear."""
    *before, last = _NUMBER.finditer(text)
    operator_end = last.start() + bool(last["sign"])
    if _BINARY_BEFORE.search(text, 0, operator_end) or _BINARY_BEHIND.match(text, last.end()):
        return []
    start = before[-1].end() if before else 0
    quantities = _find_quantities(text)
    return quantities[-1:] if _RESULT.search(text, start) else quantities


def _find_quantities(text: str) -> list[Quantity]:
    """Return the quantities in a text, in order; a number that is divided by zero is none."""
    starts = {match.start(): values for match in _NUMBER.finditer(text) if (values := _read_values(match))}
    for match in (*_CLOCK.finditer(text), *_TWO_PARTS.finditer(text)):
        values = _read_two_parts(match)
        if values:
            starts = {start: old for start, old in starts.items() if not match.start() <= start < match.end()}
            starts[match.start()] = values
    return [starts[start] for start in sorted(starts)]


def _read_values(match: re.Match[str]) -> Quantity:
    denominator = int(match["denominator"] or 1)
    if not denominator:
        return frozenset()
    value = Fraction(match["number"].replace(",", "")) / denominator * (-1 if match["sign"] else 1)
    factor = match["factor"] or match["letter"]
    if factor:
        return frozenset({value * _FACTORS[factor.lower()]})
    if match["percent"]:
        return frozenset({value, value / 100})
    return frozenset({value, value * 12} if match["dozen"] else {value})


def _read_two_parts(match: re.Match[str]) -> Quantity:
    """Return a quantity of two units, such as hours and minutes, in either; empty for other units."""
    names = match.groupdict(default="")
    units = [names.get(name, "").lower() for name in ("unit", "subunit")]
    units = [_UNITS.get(unit) or _UNITS.get(unit.rstrip("s")) or unit.rstrip("s") for unit in units]
    factor = 60 if match.re is _CLOCK else _SMALLER_UNITS.get((units[0], units[1]))
    if factor is None:
        return frozenset()
    in_small_units = int(names["large"]) * factor + Fraction(names["small"])
    return frozenset({in_small_units, in_small_units / factor})
