r"""Words and units within an answer in LaTeX, for `weft.benchmarks.latex_answers`.

    mark_words("72 square feet and 3x")  returns  r"72 \text{square feet} , 3x"

Letters outside of commands are words, names such as ABC, or products of variables. A run of letters is a word
if it is a unit, a frequent short word, or long enough to be spoken; directly behind a number only units and
long words count, so that 5d and 2ab are products.
"""

import re
import tomllib
from pathlib import Path

from weft.benchmarks.extraction import Step, rewrite

_DATA = tomllib.loads(Path(__file__).with_name("answer_words.toml").read_text(encoding="utf-8"))
UNIT_OF = {spelling: unit for unit, spellings in _DATA["units"].items() for spelling in spellings.split()}
"""The unit that each spelling stands for."""
SPACED_LETTERS = frozenset("mgshlLdtNJWVAK")
"""Letters that are a unit behind a number and a space; directly behind it only m for metres is a unit."""
CURRENCIES = frozenset(["dollar", "euro", "pound-sterling", "rupee"])
"""Units that may stand before their number."""
VERBS = frozenset(_DATA["verbs"].split())
"""Words behind which a sentence states its answer."""
CLAUSES = frozenset(_DATA["clause_words"].split())
"""Words that begin a clause behind a complete answer."""
NUMBERS = tuple(_DATA["numbers"].split())
"""The names of the numbers from zero."""
SAME_WORDS = {
    **{words: meaning for meaning, others in _DATA["same_words"].items() for words in others},
    **{word: str(number) for number, word in enumerate(NUMBERS)},
}
"""The common form of answers in words that mean the same."""

_COMMANDS = {
    **{name: name for name in f"{_DATA['functions']} {_DATA['letters']}".split()},
    "infinity": "infty",
    "inf": "infty",
}
_SHORT_WORDS = frozenset(_DATA["short_words"].split())
_SIGNIFICANT = frozenset(_DATA["significant_words"].split())

_BASE_IN_WORDS = re.compile(
    r"(?:_ ?\{? ?[0-9]+ ?\}?)? ?(?:_\{)?\(? ?(?:\\text\{)?[ (]*\b(?:in )?base[ }_]*"
    rf"(?P<base>[0-9]+|{'|'.join(NUMBERS)})\b[ )}}]*",
    re.IGNORECASE,
)
_TEXT_SUBSCRIPT = re.compile(r"_ ?\{ ?\\text\{ ?([A-Za-z0-9]+) ?\} ?\}")
_WORD_STEPS: tuple[Step, ...] = (
    (re.compile(r"\b([ap])\.\s?m\b\.?", re.IGNORECASE), r"\1m"),
    (re.compile(r"(?<![A-Za-z\\])sqrt ?\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![A-Za-z\\])sqrt ?([0-9]+)"), r"\\sqrt{\1}"),
    (re.compile(r"\\text\{\s*\(?\s*mod\s*\}|(?<![A-Za-z\\])mod\b|\\bmod\b"), r"\\pmod"),
    (re.compile(r"(?<=[0-9])\s*\^?\s*\{?\s*(?:\\text\{)?(?:st|nd|rd|th)(?![A-Za-z])\}?\}?"), " "),  # ordinals
    (re.compile(r"(\^\{\\circ\})\s*(?:\\text\{\s*)?[FCK]\b\}?"), r"\1"),  # temperatures
    (re.compile(r"\s*(?:\\text\{\s*percent\s*\}|\bper ?cent\b|\bpct\b)"), r"\\%"),
)
_NUMBER_STEPS: tuple[Step, ...] = (
    (re.compile(r"(?<![0-9.,])([0-9]+) +([1-9][0-9]*) ?/ ?([0-9]+)(?![0-9.])"), r"\1\\frac{\2}{\3}"),  # 1 1/4
    (re.compile(r"(?<=[0-9])\. (?=[0-9])"), "."),
    (re.compile(r"(?<![0-9.,])[0-9]{1,3}(?: [0-9]{3})+(?![0-9])"), lambda match: match[0].replace(" ", "")),
    (re.compile(r"(?<=[0-9])'(?=[0-9]{3}(?![0-9]))"), ""),
    (re.compile(r"(?<=[0-9]) +(?=[0-9])"), ", "),  # other numbers side by side are a list
    (re.compile(r"(?<=[0-9])[eE](?=[+-]?[0-9]{1,3}(?![0-9A-Za-z]))([+-]?[0-9]+)"), r"\\times 10^{\1}"),
    (re.compile(r"(?<=[0-9])\s*''?(?!')"), " "),  # feet and inches, minutes and seconds
)
_RUN = re.compile(
    r"\\(?:text|begin|end|mathbb|mathcal|mathrm|pmod)\s*\{[^{}]*\}|\\[A-Za-z]+|(?P<run>[A-Za-z]+(?:-[a-z]{2,})?)"
)
_COMPOUND = re.compile(
    r"(?<=[0-9}\s])(?:\\text\{)?\s*(?P<top>km|m|cm|mm|mi|miles|ft|feet|in|kg|g|mg|l|L|meters|metres)\}?\s*/\s*"
    r"(?:\\text\{)?(?P<bottom>hours?|hr|h|seconds?|sec|s|min|minutes?|cm|m|l|L|day)(?![A-Za-z])\}?"
)
_TEXT_POWER = re.compile(r"\\text\{([^{}]*?)\s*\}\s*\^\s*\{?\s*(-?[123])\s*\}?")
_TEXTS = re.compile(r"\\text\{[^{}]*\}(?:\s*(?:\\cdot\s*)?\\text\{[^{}]*\})+")
_BRACKETED_TEXT = re.compile(r"(?<![A-Za-z}])\(\s*(\\text\{[^{}]*\})\s*\)")
_PRIMES = re.compile(r"(?<=[A-Za-z])\s*(?:('+)|\^\s*\{?\s*(?:\\prime\s*)+\}?)")
_TRANSPOSED = re.compile(r"(?<=[A-Za-df-z])\^\s*\{?\s*(?:T|\\top|\\intercal)\s*\}?(?![A-Za-z])")
_RAW_PLACE = re.compile(
    r"\\(?:sum|prod|int)(?![A-Za-z])|(?:_|\\(?:over|under|wide|vec|bar|hat|dot)\w*) ?\{?$"
)
_RATIO = re.compile(r"(?<=[0-9]) ?\\text\{ ?to ?\} ?(?=[0-9])")
_AND_OR = re.compile(r",?\s*\\text\{\s*,?\s*(?:and|or|and/or)\s*,?\s*\}\s*,?\s*")
ANSWER_IS = re.compile(
    r"^(?:\W*\b(?:text|so|thus|hence|therefore|the|my|our|final|correct)\b)*\W*\b(?:answer|ans|solution|result)s?\b"
    r"(?:\W*\btext\b)?(?:\W*\b(?:is|are|will be)\b)?\W*",
    re.IGNORECASE,
)


def _join_texts(match: re.Match[str]) -> str:
    """Join text commands side by side."""
    return rf"\text{{{' '.join(re.findall(r'{([^{}]*)}', match[0]))}}}"


def write_bases(latex: str) -> str:
    """Write the base of a number that is stated in words, such as "base two", as a subscript."""
    latex = _TEXT_SUBSCRIPT.sub(r"_{\1}", latex)
    return _BASE_IN_WORDS.sub(_write_base, latex)


def mark_words(latex: str) -> str:
    r"""Write words as `\text{...}`, names such as ABC as `\mathrm{...}`, and numbers without spaces."""
    latex = _RUN.sub(_mark_run, rewrite(latex, _WORD_STEPS))
    latex = _BRACKETED_TEXT.sub(r"\1", latex)
    latex = _COMPOUND.sub(r"\\text{\g<top>/\g<bottom>}", latex)
    latex = _TEXTS.sub(_join_texts, _TEXT_POWER.sub(r"\\text{\1^\2}", latex))
    latex = _PRIMES.sub(_write_primes, _TRANSPOSED.sub("_{transposed}", latex))
    latex = _AND_OR.sub(", ", _RATIO.sub(":", latex))
    return latex if r"\begin" in latex else rewrite(latex, _NUMBER_STEPS).strip()


def _write_base(match: re.Match[str]) -> str:
    """Write "base two" behind a number as a subscript."""
    base = match["base"].casefold()
    return f"_{{{NUMBERS.index(base) if base in NUMBERS else base}}}"


def _write_primes(match: re.Match[str]) -> str:
    """Write primes as a subscript, because math-verify drops them."""
    return "_{" + "prime" * (len(match[1]) if match[1] else match[0].count("prime")) + "}"


def _mark_run(match: re.Match[str]) -> str:
    """Write a run of letters outside of commands as a command, a word, a name or a product of variables."""
    run, start = match["run"], match.start()
    if run is None:
        return match[0]
    before = match.string[:start]
    is_time = run in ("min", "sec") and before.rstrip()[-1:].isdecimal()
    if run.casefold() in _COMMANDS and not is_time:
        return f"\\{_COMMANDS[run.casefold()]} "
    if _RAW_PLACE.search(before):
        return run
    is_attached = before[-1:].isalnum() or before.endswith("}")
    is_currency = UNIT_OF.get(run.casefold()) in CURRENCIES
    if is_currency and not before.strip():
        is_first = not re.match(r"\.? ?[0-9]", match.string[match.end() :])
    else:
        is_first = (is_currency and is_attached) or not re.search(r"[A-Za-z0-9})$.] ?$", before)
    if _is_word(run, is_attached=is_attached, is_first=is_first):
        return rf"\text{{{run}}}"
    if len(run) > 1 and run.isupper():
        return rf"\mathrm{{{run}}}"
    # math-verify reads I as the imaginary unit, and dx as a differential.
    return run.replace("d", "{d}").replace("i", "{I}")


def _is_word(run: str, *, is_attached: bool, is_first: bool) -> bool:
    """Return True if letters are a word rather than a product of variables or a name such as ABC.

    A short unit is one only behind a value, so that `yd` alone is a product.
    """
    word = run.casefold()
    if len(run) == 1:
        return False
    if (word in UNIT_OF and not is_first) or (word in _SHORT_WORDS and not is_attached):
        return True
    if run.isupper() or len(run) == 2:
        return False
    has_vowel = bool(re.search("[aeiouy]", word))
    if len(run) > 3:
        return has_vowel
    is_alphabetical = ord(max(word)) - ord(min(word)) == len(set(word)) - 1  # abc, xyz, pqr
    return has_vowel and not is_attached and not is_alphabetical


def find_words(text: str) -> list[str]:
    """Return the words of a text in small letters, without articles and the word for the answer itself."""
    text = re.sub(r"\\(?:text|mathrm)(?![A-Za-z])|_\{transposed\}", " ", text).casefold()
    words = re.findall(r"[a-z]+(?:[-'][a-z]+)*|[0-9]+(?:\.[0-9]+)?", text)
    if len(words) > 1 and words[0] in ("on", "at", "in"):
        del words[0]
    return [word for word in words if word not in ("a", "an", "the") or len(words) == 1]


def find_significant(words: list[str]) -> list[str]:
    """Return the words that change the meaning of the value beside them, such as "not"."""
    return [word for word in words if word in _SIGNIFICANT]


def find_unit(words: str) -> str | None:
    """Return the unit that words state, in one spelling, or None if they state no unit of the table."""
    text = re.sub(r"\bper\b", "/", words.casefold().replace(".", ""))
    text = re.sub(r"\b(?:square|sq)\s+([a-z]+)", r"\1^2", re.sub(r"\b(?:cubic|cu)\s+([a-z]+)", r"\1^3", text))
    text = re.sub(r"[\s{}(),;:!-]", "", text)
    parts = re.split(r"([/^])", text)
    names = [UNIT_OF.get(part, part if part in ("2", "3", "/", "^") else None) for part in parts]
    return None if None in names else "".join(map(str, names))
