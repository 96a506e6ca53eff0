r"""Equality of two answers in LaTeX that may hold words and units beside their values.

    are_same_answer(r"\text{about }72\text{ km/h}", "72")  returns  True

An answer is read as values with words before and between them. Words around a single value are ignored
unless they change its meaning ("not", "less than"); units must agree if both answers state them. An answer
of words only is compared by its words. Values are compared by `weft.benchmarks.symbolic`.
"""

import re
from typing import NamedTuple

from weft.benchmarks.extraction import Step, rewrite
from weft.benchmarks.latex_plain import write_plainly
from weft.benchmarks.latex_words import (
    ANSWER_IS,
    CLAUSES,
    CURRENCIES,
    NUMBERS,
    SAME_WORDS,
    SPACED_LETTERS,
    UNIT_OF,
    VERBS,
    find_significant,
    find_unit,
    find_words,
    mark_words,
    write_bases,
)
from weft.benchmarks.symbolic import are_equal

_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[ ,](?=[0-9]{3}(?![0-9]))")
_IN_A_BASE = re.compile(
    r"(?:[A-Za-z] ?= ?)?\(?(?=-?[A-Za-z]*[0-9])"
    r"(?P<digits>-?[0-9A-Za-z]+)\)?\s*_\s*\{?\s*\(?(?P<base>[0-9]+|[a-z]+)\)?\s*\}?(?: ?= ?[0-9]+)?"
)
_THOUSANDS = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9])")
_BRACKET = re.compile(r"[(\[]|\\\{")
_MODULUS = re.compile(r"\s*\(?\\pmod\s*\{?\s*([0-9A-Za-z]+)\s*\}?\s*\)?\s*$")
_UNIT_LETTER = re.compile(r"(?P<value>.*[0-9}])(?P<space> ?)(?P<letter>[A-Za-z])(?P<power> ?\^\{?[23]\}?)?")
_DEGREES = re.compile(r"(?P<number>[0-9.]+|\\frac\{[^{}]*\}\{[^{}]*\})?\s*\^\{\\circ\}")
_FUNCTION = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")

_BRACKET_OR_TEXT = re.compile(
    r"\\text\{(?P<text>[^{}]*)\}|(?P<open>\\begin\{[^{}]*\}|\\?\{|[(\[])|(?P<close>\\end\{[^{}]*\}|\\?\}|[)\]])"
)
_VALUE_ENDS: tuple[Step, ...] = ((re.compile(r"^(?:[\s,;:=]|\.(?![0-9]))+|[\s,;:]+$"), ""),)
_VARIABLE = re.compile(r"(?<![A-Za-z\\])(?:\\mathrm\{)?[A-Za-z](?:[A-Za-z]*\})?(?![A-Za-z])")
_EQUALS = re.compile(r"(?<![<>!\\:])=(?!=)")
_RELATION_OR_LIST = re.compile(r"[=<>,;]|\\(?:le|ge|ne|in)(?![a-z])")
_RATIO = re.compile("[0-9]+ ?(?:: ?[0-9]+ ?)+")
_DOMAIN = re.compile(r"[\s,(]+[a-z] ?\\in ?\\mathbb\{[A-Z]\} ?\)?$")
_PAIR = re.compile(r"([(\[])[^()\[\],;]*[,;][^()\[\],;]*([)\]])")
_DECIMAL_COMMA = re.compile("-?[0-9]+,[0-9]+")


class Reading(NamedTuple):
    """An answer as values and words.

    Attributes:
        lead: words before the first value.
        values: the values, in LaTeX without words.
        words: words behind each value, as many as there are values.
    """

    lead: str
    values: list[str]
    words: list[str]


def are_same_answer(stated: str, reference: str) -> bool:
    """Return True if a stated answer has the meaning of the reference.

    Args:
        stated: the stated answer, in LaTeX, at most a thousand characters.
        reference: the right answer, in LaTeX.

    Returns:
        True if words, units and values agree.

    Raises:
        ComparisonError: two values could not be compared within the limits of `weft.benchmarks.symbolic`.
    """
    stated, reference = (write_bases(write_plainly(text)) for text in (stated, reference))
    in_base = _compare_bases(stated, reference)
    if in_base is not None:
        return in_base
    stated, reference = mark_words(stated), mark_words(reference)
    if _squeeze(stated) == _squeeze(reference):
        return bool(reference)
    said, wanted = _read(stated), _read(reference)
    if not said.values or not wanted.values:
        return _have_same_words(stated, reference)
    if len(said.values) != len(wanted.values):
        said = _shorten(said, wanted)
    if len(said.values) != len(wanted.values) or not _agree_in_words(said, wanted):
        return False
    return all(
        _have_same_value(*pair)
        for pair in zip(said.values, wanted.values, said.words, wanted.words, strict=True)
    )


def _read(latex: str) -> Reading:
    """Divide an answer at the words outside of brackets and braces."""
    lead, values, words = "", [], []
    depth, start = 0, 0
    parts: list[tuple[str, str]] = []
    for match in _BRACKET_OR_TEXT.finditer(latex):
        if match["text"] is None:
            depth = max(0, depth + (1 if match["open"] else -1))
        elif depth == 0:
            parts.append((latex[start : match.start()], match["text"]))
            start = match.end()
    for part, following in [*parts, (latex[start:], "")]:
        value = rewrite(part, _VALUE_ENDS)
        if re.search(r"[\w\\]", value):
            values.append(value)
            words.append(following)
        elif values:
            words[-1] += " " + following
        else:
            lead += " " + following
    return Reading(lead.strip(), values, words)


def _have_same_words(stated: str, reference: str) -> bool:
    """Return True if two answers in words name the same things; the order of a list does not matter."""
    names, wanted = _list_names(stated), _list_names(reference)
    return wanted != [] and (names == wanted or _name_in_a_sentence(names, wanted))


def _name_in_a_sentence(stated: list[str], reference: list[str]) -> bool:
    """Return True for "Evelyn is the fastest" if the reference is "Evelyn", and for "(B) 12" if "(B)"."""
    if len(stated) != 1 or len(reference) != 1:
        return False
    name, _, rest = stated[0].removeprefix(reference[0]).partition(" ")
    return not name and bool(rest) and not find_significant(rest.split())


def _list_names(latex: str) -> list[str]:
    text = ANSWER_IS.sub("", latex.rpartition("=")[2])
    names = [" ".join(find_words(name)) for name in re.split(r"[,;&]|\band\b|\bor\b", text)]
    return sorted(SAME_WORDS.get(name, name) for name in names if name)


def _shorten(said: Reading, wanted: Reading) -> Reading:
    """Leave out a clause such as "for every n > 1", or join a list whose values all have the same unit.

    Of a sentence such as "the value of k is 41", the values behind the last verb are kept.
    """
    for place in reversed(range(len(said.words) - 1)):
        if find_words(said.words[place])[-1:] and find_words(said.words[place])[-1] in VERBS:
            return Reading("", said.values[place + 1 :], said.words[place + 1 :])
    for place, words in enumerate(said.words):
        if len(find_words(words)) and find_words(words)[0] in CLAUSES:
            return Reading(said.lead, said.values[: place + 1], [*said.words[:place], ""])
    if len(wanted.values) == 1 and len({find_unit(words) for words in said.words}) == 1:
        return Reading(said.lead, [", ".join(said.values)], said.words[:1])
    return said


def _agree_in_words(said: Reading, wanted: Reading) -> bool:
    """Return True if the words beside the values do not make one answer differ from the other."""
    said_lead, wanted_lead = (find_words(ANSWER_IS.sub("", reading.lead)) for reading in (said, wanted))
    if wanted_lead and not _is_currency(wanted_lead) and said_lead != wanted_lead:
        return len(wanted.values) == 1 and said_lead == [] and find_words(said.words[0]) == wanted_lead
    if find_significant(said_lead) != find_significant(wanted_lead):
        return False
    pairs = list(zip(said.words, wanted.words, strict=True))
    if any(
        find_significant(find_words(left)) != find_significant(find_words(right)) for left, right in pairs
    ):
        return False
    units = [(find_unit(left), find_unit(right)) for left, right in pairs]
    if any(left != right and left is not None and right is not None for left, right in units):
        return False
    return len(pairs) == 1 or all(map(_agree_between_values, *zip(*pairs, strict=True)))


def _agree_between_values(stated: str, reference: str) -> bool:
    """Return True unless two answers with several values have other words behind one of them."""
    if not find_words(stated) or not find_words(reference) or find_unit(stated) or find_unit(reference):
        return True
    left, right = (
        [word for word in find_words(text) if word not in ("and", "or")] for text in (stated, reference)
    )
    return left == right


def _is_currency(words: list[str]) -> bool:
    return all(UNIT_OF.get(word) in CURRENCIES for word in words)


def _have_same_value(stated: str, reference: str, said_words: str, wanted_words: str) -> bool:
    """Return True if two values without words are equal."""
    stated = _take_unit_letter(stated, reference, said_words, wanted_words)
    (stated, modulus), (reference, wanted_modulus) = _split_modulus(stated), _split_modulus(reference)
    if modulus and wanted_modulus and modulus != wanted_modulus:
        return False
    stated, reference = _convert_degrees(stated, reference), _convert_degrees(reference, stated)
    if r"\in" not in reference:
        stated = _DOMAIN.sub("", stated)
    pairs = [(stated, reference)]
    for rewrite_value in (_join_thousands, _drop_approximation, _turn_equation):
        stated, reference = rewrite_value(stated), rewrite_value(reference)
    pairs += [(stated, reference), (_drop_name(stated, reference), _drop_name(reference, stated))]
    if any(_squeeze(left) == _squeeze(right) for left, right in pairs):
        return True
    if _repeats_a_value(stated, reference):
        return False
    return _has_decimal_comma(stated, reference) or _compare(stated, reference)


def _repeats_a_value(stated: str, reference: str) -> bool:
    """Return True for a list such as `5, 5` beside a list of another length; math-verify compares sets."""
    if _BRACKET.search(stated + reference) or "=" in stated:
        return False
    terms, wanted = (_squeeze(text).split(",") for text in (stated, reference))
    return len(set(terms)) < len(terms) != len(wanted)


def _has_decimal_comma(stated: str, reference: str) -> bool:
    """Return True if a number with a decimal comma is the reference; two numbers may be meant as well."""
    if not _DECIMAL_COMMA.fullmatch(stated) or _RELATION_OR_LIST.search(reference):
        return False
    decimal = stated.replace(",", ".")
    return decimal == reference or (stated.lstrip("-").startswith("0,") and are_equal(reference, decimal))


def _compare(stated: str, reference: str) -> bool:
    """Compare two values that are not the same text."""
    if r"\ldots" in stated + reference:
        return _are_same_sequence(stated, reference)
    if _RATIO.fullmatch(stated) and _RATIO.fullmatch(reference):
        return _are_same_ratio(stated, reference)
    brackets = [_PAIR.fullmatch(text) for text in (stated, reference)]
    if brackets[0] and brackets[1] and brackets[0].groups() != brackets[1].groups():
        return False
    if _have_same_percentage(stated, reference) or are_equal(reference, stated):
        return True
    if r"\pm" in stated + reference:
        return are_equal(*(", ".join(_expand_signs(text)) for text in (reference, stated)))
    return _have_same_last_side(stated, reference)


def _have_same_last_side(stated: str, reference: str) -> bool:
    """Compare the last side of an equation, because math-verify cannot read every name on the left."""
    (name, value), (wanted_name, wanted) = _split_equation(stated), _split_equation(reference)
    if not name or (wanted_name and _squeeze(name).casefold() != _squeeze(wanted_name).casefold()):
        return False
    is_set = not wanted_name and bool(_PAIR.fullmatch(wanted))
    return (is_set or not _RELATION_OR_LIST.search(wanted)) and are_equal(wanted, value)


def _have_same_percentage(stated: str, reference: str) -> bool:
    """Return True if two values are equal when percent signs are ignored."""
    plain, wanted = (text.replace(r"\%", "").strip() for text in (stated, reference))
    return (plain, wanted) != (stated, reference) and are_equal(wanted, plain)


def _squeeze(latex: str) -> str:
    """Remove the spaces that do not separate letters or digits."""
    return re.sub(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])", "", latex)


def _take_unit_letter(stated: str, reference: str, said_words: str, wanted_words: str) -> str:
    """Remove a letter that stands where a unit stands, unless the reference has variables."""
    match = _UNIT_LETTER.fullmatch(stated)
    if not match or said_words or _VARIABLE.search(reference) or _VARIABLE.search(match["value"]):
        return stated
    letter, is_spaced = match["letter"], bool(match["space"])
    is_expected = wanted_words and find_unit(wanted_words) == UNIT_OF.get(letter.casefold())
    is_unit = letter in SPACED_LETTERS if is_spaced else letter == "m" and not match["power"]
    return match["value"] if is_unit or is_expected else stated


def _split_modulus(latex: str) -> tuple[str, str]:
    r"""Split `3 \pmod{7}` into the value and the modulus."""
    match = _MODULUS.search(latex)
    return (latex[: match.start()], match[1]) if match else (latex, "")


def _convert_degrees(latex: str, other: str) -> str:
    """Write degrees in radians within functions and beside an answer in radians, and drop them elsewhere."""
    is_angle = _FUNCTION.search(latex) or (r"\pi" in other and r"\circ" not in other)
    return _DEGREES.sub(r"(\\frac{\\pi \g<number>}{180})" if is_angle else r"\g<number>", latex)


def _drop_approximation(latex: str) -> str:
    """Keep one side of a chain of approximations: the exact one, or else the first."""
    sides = [side.strip() for side in latex.split(r"\approx") if side.strip()]
    if len(sides) < 2 or _VARIABLE.fullmatch(sides[0]):
        return sides[-1] if sides else ""
    exact = [side for side in sides if not re.search(r"\.[0-9]", side)]
    return exact[0] if exact else sides[0]


def _turn_equation(latex: str) -> str:
    """Write `12 = x` as `x = 12`, and drop the last side of `x = 12 = y`."""
    sides = _EQUALS.split(latex)
    if len(sides) < 2 or "," in latex or not _VARIABLE.fullmatch(sides[-1].strip()):
        return latex
    if len(sides) > 2:
        return latex if all(_VARIABLE.fullmatch(side.strip()) for side in sides) else "=".join(sides[:-1])
    return latex if _VARIABLE.search(sides[0]) else f"{sides[1]} = {sides[0]}"


def _expand_signs(latex: str) -> list[str]:
    r"""Write an expression with `\pm` as two expressions."""
    if r"\pm" not in latex:
        return [latex]
    plus, minus = (
        latex.replace(r"\pm", "+").replace(r"\mp", "-"),
        latex.replace(r"\pm", "-").replace(r"\mp", "+"),
    )
    return [_EQUALS.split(text)[-1] for text in (plus, minus)]


def _drop_name(latex: str, other: str) -> str:
    """Drop the name in `x = 12`, unless the other answer is an equation too."""
    name, *sides = _EQUALS.split(latex)
    is_named = len(sides) == 1 and "=" not in other and _VARIABLE.fullmatch(name.strip())
    return sides[0].strip() if is_named else latex


def _split_equation(latex: str) -> tuple[str, str]:
    """Split an equation into its first and its last side; a list and a value have no first side."""
    name, *sides = (side.strip() for side in re.split(rf"{_EQUALS.pattern}|\\in(?![a-z])", latex))
    if not sides or "," in name:
        return "", latex
    if _VARIABLE.fullmatch(sides[-1]) and not _VARIABLE.fullmatch(name):
        return sides[-1], name
    return ("", latex) if _EQUALS.search(latex) and "," in latex else (name, sides[-1])


def _join_thousands(latex: str) -> str:
    """Remove commas between groups of three digits; within brackets they separate coordinates."""
    if _BRACKET.search(latex):
        return latex
    return _THOUSANDS.sub(lambda match: match[0].replace(",", ""), latex)


def _are_same_sequence(stated: str, reference: str) -> bool:
    """Compare sequences with an ellipsis term by term."""
    terms, wanted = (
        [term.strip() for term in re.split(",|;", re.sub(r"(\\ldots)", r",\1,", text)) if term.strip()]
        for text in (stated, reference)
    )
    return len(terms) == len(wanted) and all(
        left == right or (r"\ldots" not in (left, right) and are_equal(right, left))
        for left, right in zip(terms, wanted, strict=True)
    )


def _are_same_ratio(stated: str, reference: str) -> bool:
    """Compare ratios of whole numbers, which may be multiples of each other, or times such as 12:00."""
    terms, wanted = ([int(term) for term in text.split(":")] for text in (stated, reference))
    if len(terms) != len(wanted) or 0 in terms + wanted:
        return terms == wanted
    return all(term * wanted[0] == other * terms[0] for term, other in zip(terms, wanted, strict=True))


def _compare_bases(stated: str, reference: str) -> bool | None:
    """Compare numbers of which one states its base; None if neither does."""
    stated, reference = (_BETWEEN_DIGITS.sub("", text) for text in (stated, reference))
    said, wanted = _IN_A_BASE.fullmatch(stated), _IN_A_BASE.fullmatch(reference)
    digits, base = _read_base(said)
    wanted_digits, wanted_base = _read_base(wanted)
    if said and wanted:
        return (digits, base) == (wanted_digits, wanted_base)
    if wanted:
        plain = re.sub(r"^[A-Za-z] ?=|[\s()]", "", stated).casefold()
        return plain == wanted_digits if re.fullmatch("-?[0-9a-z]+", plain) else None
    if said and re.fullmatch("-?[0-9]+", reference):
        return _have_same_number(digits, base, reference)
    return None


def _have_same_number(digits: str, base: str, decimal: str) -> bool:
    try:
        return int(digits, int(base)) == int(decimal)
    except ValueError:  # no such base, or digits that the base does not have
        return False


def _read_base(match: re.Match[str] | None) -> tuple[str, str]:
    if not match:
        return "", ""
    base = match["base"]
    return match["digits"].casefold(), str(NUMBERS.index(base)) if base in NUMBERS else base
