r"""Extraction of the answer from a generation: from a box or from answer tags.

    ... so we get \boxed{\frac{1}{2}}.</reasoning> <answer>1/2</answer>

Here `read_last_box` returns `\frac{1}{2}` and `read_answer_tags` returns `1/2`; the scoring ``d1`` uses
both, except for GSM8K (`weft.benchmarks.gsm8k`). The scoring ``strict`` uses `read_stated_answer`.
A generation may be a megabyte of any text, so each function passes over it a fixed number of times.

Source of the functions for d1: dllm-reasoning/d1 @ 837888f, eval/parser_helper.py and
eval/parse_and_get_acc.py.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from weft.benchmarks.endings import ANSWER_END, cut_at_end, has_end
from weft.benchmarks.escapes import restore

BOX = "\\boxed"
FRAMED_BOX = "\\fbox"
ANSWER_START = "<answer>"
MAX_CHARACTERS = 1_000
"""Length of the longest answer that strict scoring judges, except for Sudoku."""
NO_ANSWER = f"no answer of at most {MAX_CHARACTERS} characters is stated"

_BRACE = re.compile(r"[{}]")
# A box that LLaDA wrote may lack its backslash or the end of its name, or have other brackets or none.
_BOX_OR_BRACE = re.compile(
    r"(?P<box>(?<!\\)\\++(?:boxed|boxe|box|fbox)\s*\{|(?<![A-Za-z\\])boxed\s*\{)"
    r"|(?<!\\)\\++boxed[ \t]*(?:\[(?P<square>[^\[\]{}\n]*)\]|\((?P<round>[^(){}\n]*)\)"
    r"|(?P<bare>-?[0-9][0-9.,/]*))"
    r"|(?P<escaped>\\[\\{}])|(?P<open>\{)|(?P<close>\})"
)
_END_OF_OPEN_BOX = re.compile(r"\n|<|\$|\\[)\]]")
_TAG_START = re.compile(r"<\s{0,3}answer\s{0,3}>|(?<![\w/\\<])answer>|<answer(?=[ \t]*+\n)", re.IGNORECASE)
_TAG_END = re.compile(
    r"<\s{0,3}[/\\]\s{0,3}answer\s{0,3}[>}\])]?|<\s{0,3}answer\s{0,3}/\s{0,3}>", re.IGNORECASE
)
_OTHER_TAG = re.compile(r"</?[A-Za-z]{1,20}>")
_SOMETHING = re.compile(r"[\w∞∅]")
_DIGIT = re.compile(r"[0-9]")
_PLACEHOLDER = re.compile(
    r"\s*(?:\\text\s*\{)?[\s.?<\[]*(?:(?:(?:your|the|my)\s+)?(?:final\s+)?(?:answer|result|solution)(?:\s+here)?"
    r"|\\[lc]?dots|\\square)?[\s.?>\]]*\}?\s*",
    re.IGNORECASE,
)
_EMPTY_BOX = re.compile(r"\\*+(?:boxed|fbox)\s*\{[^\w{}∞∅]*\}")
_BETWEEN_BOXES = re.compile(
    r"[\s$]*(?:\\[)\]]\s*)?(?:[,;]|and\b|or\b|\\text\s*\{\s*(?:and|or)\s*\}|\\q?quad\b|\\[,;]|\s)+"
    r"(?:\\[(\[]|[\s$])*(?:[A-Za-z]\s*=\s*)?"
)
MAX_BETWEEN_BOXES = 40
_SEPARATOR = re.compile(r"[,;]|and|or")
_AROUND = re.compile(
    r"^(?:\\[ ,;:!]|\\q?quad(?![A-Za-z])|[\s&~])+|\\tag\*?\s*\{[^{}]*\}|[✓✔✅☑]"
    r"|(?:(?<!\\)\\[ ,;:!]|\\q?quad(?![A-Za-z])|\\\\|[\s&~])+$|(?<!\\)\\$"
)
_FINAL_SENTENCE = re.compile(
    r"\banswer\s+is:?\s+\**+(?P<answer>(?!not\b)[^\n]*?)(?P<stop>\.?)[\s*]*\Z", re.IGNORECASE
)
_LAST_FORMULA = re.compile(r"(?:\\[(\[]|\$)\s*(?P<answer>(?:(?!\\[()\[\]])[^$])+?)\s*(?:\\[)\]]|\$)[\s.]*\Z")
_FINAL_MARK = "####"


def read_last_box(text: str) -> str | None:
    r"""Return the content of the last box, or the whole text if there is no box at all.

    A box written `\boxed 7$` (a space for the braces) takes precedence over every other box and ends at
    the next dollar sign. Any other form than a plain `\boxed{...}`, such as `\fbox`, is returned
    with its command, as in d1.

    Args:
        text: a generation.

    Returns:
        The content of the box; None if the braces of the last box are never closed.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parser_helper.py, last_boxed_only_string and remove_boxed.
    """
    _, spaced_box, content = text.rpartition(BOX + " ")
    if spaced_box:
        return content.partition("$")[0]
    start = text.rfind(BOX)
    if start < 0:
        start = text.rfind(FRAMED_BOX)
    if start < 0:
        return text
    end = _find_closing_brace(text, start)
    if end is None:
        return None
    plain_start = BOX + "{"
    if text.startswith(plain_start, start):
        return text[start + len(plain_start) : end]
    return text[start : end + 1]


def read_answer_tags(text: str) -> str | None:
    """Return the stripped text between the first answer tag and the next closing tag, or None."""
    _, start, rest = text.partition(ANSWER_START)
    content, end, _ = rest.partition(ANSWER_END)
    return content.strip() if start and end else None


class StatedAnswer(NamedTuple):
    """The answer that a generation states.

    Attributes:
        text: the answer.
        is_boxed: True if it was in a box, as the prompts request; False if it was only in answer tags.
    """

    text: str
    is_boxed: bool


def read_stated_answer(generation: str) -> StatedAnswer | None:
    r"""Read the last answer that a generation states before its end.

    The answer is the content of the last `\boxed{...}` or `\fbox{...}`, or that of the last answer tags if
    they come later. Of nested boxes, that of the inner counts; the boxes of a list (`\boxed{3} and
    \boxed{5}`) count together. Boxes and tags without a letter, a digit, ∞ or ∅ are ignored, and so are
    placeholders such as `\boxed{answer}`.

    Some slips are repaired. A box may lack its backslash or its closing brace, and a tag may be misspelled.
    If the opening tag is missing, the last line before the closing tag counts. Without boxes and tags, a
    final "The answer is ..." counts, or a final line that begins with "####". Boxes, tags and lines that
    are never closed count only if something follows, such as an end token, because a text that fills its
    canvas may have been cut off within a number. The text is first restored (`weft.benchmarks.escapes`).

    Args:
        generation: the model's answer.

    Returns:
        The stripped answer, or None if the generation states no answer.
    """
    text, is_whole = read_text(generation), has_end(generation)
    boxes = _read_boxes(text, is_whole=is_whole)
    tagged = _read_last_tags(text, is_whole=is_whole)
    if boxes and not (tagged and _is_later(tagged, boxes[-1])):
        return StatedAnswer(_join_last_boxes(text, boxes), is_boxed=True)
    if tagged:
        return StatedAnswer(_tidy(tagged.text), is_boxed=False) if tagged.text else None
    content = _read_before_closing_tag(text) or _read_final_line(text, is_whole=is_whole)
    return StatedAnswer(_tidy(content), is_boxed=False) if content else None


def read_text(generation: str) -> str:
    """Return the restored text before the end, with the tags of the answer in their usual spelling."""
    text = restore(cut_at_end(generation))
    return _TAG_START.sub(ANSWER_START, _TAG_END.sub(ANSWER_END, text))


def read_short_answer(generation: str) -> StatedAnswer | None:
    """Return the stated answer; None if no answer is stated or it has more than MAX_CHARACTERS characters."""
    answer = read_stated_answer(generation)
    return answer if answer and len(answer.text) <= MAX_CHARACTERS else None


Step = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]
"""A pattern and its replacement."""


def rewrite(text: str, steps: Iterable[Step]) -> str:
    """Apply replacements in order, each to the whole text."""
    for pattern, replacement in steps:
        text = pattern.sub(replacement, text)
    return text


class _Place(NamedTuple):
    """A part of a text: where it begins and ends, marks included, and what it holds."""

    start: int
    end: int
    text: str


def _states_something(content: str) -> bool:
    """Return True if a content has a letter, a digit, ∞ or ∅ and is no placeholder."""
    is_short = len(content) <= MAX_CHARACTERS
    return bool(_SOMETHING.search(content)) and not (is_short and _PLACEHOLDER.fullmatch(content))


def _read_boxes(text: str, *, is_whole: bool) -> list[_Place]:
    """Return the boxes that state something, in order; of nested boxes, the inner ones only.

    A box that is never closed is the last one or none.
    """
    boxes: list[_Place] = []
    open_groups: list[tuple[int, int] | None] = []  # a box: its start and that of its content; None: a brace
    for match in _BOX_OR_BRACE.finditer(text):
        kind = match.lastgroup or ""
        if kind in ("box", "open"):
            open_groups.append((match.start(), match.end()) if kind == "box" else None)
        elif kind in ("square", "round", "bare"):
            boxes.append(_Place(match.start(), match.end(), match[kind].rstrip(".,")))
        elif kind == "close" and open_groups:
            group = open_groups.pop()
            is_inner = group is not None and not (boxes and boxes[-1].start > group[0])
            if group is not None and is_inner and _SOMETHING.search(text, group[1], match.start()):
                boxes.append(_Place(group[0], match.end(), text[group[1] : match.start()]))
    boxes = [box for box in boxes if _states_something(box.text)]
    never_closed = [group for group in open_groups if group is not None]
    if never_closed and not (boxes and boxes[-1].start > never_closed[-1][0]):
        boxes += _read_open_box(text, *never_closed[-1], is_whole=is_whole)
    return boxes


def _read_open_box(text: str, start: int, content_start: int, *, is_whole: bool) -> list[_Place]:
    """Read a box without a closing brace, up to the end of its line, its mathematics or its tags."""
    begin = content_start + len(text[content_start:]) - len(text[content_start:].lstrip())
    mark = _END_OF_OPEN_BOX.search(text, begin)
    end = mark.start() if mark else len(text)
    content = _EMPTY_BOX.sub("", text[begin:end]).strip().rstrip(">").rstrip()
    missing = sum({"{": 1, "}": -1}.get(character, 0) for character in content)
    is_known_whole = bool(mark) or is_whole or content.endswith("}")
    if not is_known_whole or not _states_something(content):
        return []
    return [_Place(start, end, content + "}" * max(missing, 0))]


def _join_last_boxes(text: str, boxes: list[_Place]) -> str:
    """Return the content of the last box, or of all boxes of the list that it ends, each with one value."""
    contents = [_tidy(boxes[-1].text)]
    for box, following in zip(boxes[-2::-1], boxes[:0:-1], strict=True):
        between = text[box.end : following.start]
        is_list = len(between) <= MAX_BETWEEN_BOXES and bool(_BETWEEN_BOXES.fullmatch(between))
        if not is_list or not _SEPARATOR.search(between) or "," in box.text + following.text:
            break
        contents.append(_tidy(box.text))
    return ", ".join(dict.fromkeys(reversed(contents)))


def _read_last_tags(text: str, *, is_whole: bool) -> _Place | None:
    """Return the last answer tags that state something; their text is empty if it may have been cut off."""
    _, *pieces = text.split(ANSWER_START)
    end, is_closed = len(text), is_whole
    for piece in reversed(pieces):
        start = end - len(piece)
        content, closing, _ = piece.partition(ANSWER_END)
        if _states_something(_EMPTY_BOX.sub("", content)):
            return _Place(start, start + len(content), content.strip() if closing or is_closed else "")
        end, is_closed = start - len(ANSWER_START), True
    return None


def _is_later(tagged: _Place, box: _Place) -> bool:
    """Return True if tags behind a box state the answer; words there may refer to a number in the box."""
    has_number = bool(_DIGIT.search(tagged.text)) or not _DIGIT.search(box.text)
    return tagged.start >= box.end and has_number and bool(tagged.text)


def _read_before_closing_tag(text: str) -> str | None:
    """Return the last line before a closing tag that was never opened; if there is none, the text behind."""
    head, _, _ = text.partition(ANSWER_START)
    before, closing, behind = head.rpartition(ANSWER_END)
    if not closing:
        return None
    answer = _EMPTY_BOX.sub("", _OTHER_TAG.split(before)[-1])
    lines = [line for line in answer.splitlines() if _states_something(line)]
    if not lines:
        return behind.strip() if _states_something(behind) else None
    line = lines[-1].strip()
    formula = _LAST_FORMULA.search(line) if len(line) <= MAX_CHARACTERS else None
    return formula["answer"] if formula else line


def _read_final_line(text: str, *, is_whole: bool) -> str | None:
    """Return what a last line marked as the answer states, if it is known to be whole."""
    line = text.rstrip().rpartition("\n")[2].strip()
    if len(line) > MAX_CHARACTERS:
        return None
    is_known_whole = is_whole or text.endswith("\n")
    sentence = _FINAL_SENTENCE.search(line)
    if line.startswith(_FINAL_MARK) and is_known_whole:
        answer = line.removeprefix(_FINAL_MARK)
    elif sentence and (sentence["stop"] or is_known_whole):
        answer = sentence["answer"]
    else:
        return None
    return answer.strip() if _states_something(answer) else None


def _tidy(content: str) -> str:
    """Strip an answer of white space, of marks around it and of the end of its row."""
    return _AROUND.sub("", content).strip() if len(content) <= MAX_CHARACTERS else content.strip()


def _find_closing_brace(text: str, start: int) -> int | None:
    """Return the position of the closing brace that brings the count of open braces to zero."""
    num_open = 0
    for brace in _BRACE.finditer(text, start):
        if brace.group() == "{":
            num_open += 1
            continue
        num_open -= 1
        # A closing brace before any opening brace makes the count -1, and the search continues.
        if num_open == 0:
            return brace.start()
    return None
