import random
import re
from html.parser import HTMLParser

import pytest
import torch

from tests.support.models import ScriptedModel
from tests.support.sampling import sampling_config, step_output
from weft.records import Question
from weft.sampling.denoise import Prompt
from weft.sampling.noise import HashedNoise
from weft.sampling.stream import stream_answers
from weft.trace.collect import Trace
from weft.trace.page import write_trace_page

MASK, END, ONE, TWO, HOSTILE = range(5)
ATTACK = "<script>alert('x')</script>\x1b[2J\u202e\ud800<img src=https://example.org/x onerror=alert(1)>"
TEXTS = {MASK: "<|mask|>", END: "<|end|>", ONE: "one", TWO: " two", HOSTILE: ATTACK}


def settings(**changes):
    content = {"gen_length": 4, "block_length": 2, "diffusion_steps": 4, "mask_token_id": MASK}
    return sampling_config(**content | {"eos_token_id": END} | changes)


STEPS = [
    step_output(0, [0, 1], [ONE, ONE], [0.31, 0.95], [1.3, 0.1], [False, True]),
    step_output(0, [0], [TWO], [0.5], [0.7], [True]),
]


def trace_of(
    token_ids=(TWO, ONE, END, END), *, steps=STEPS, texts=TEXTS, config=None, prompt="p", **question
):
    content = {"example_id": "ab12", "benchmark": "b", "question": "How many?", "reference": None}
    about = Question(**content | {"prompt": ""} | question)
    return Trace(
        about, prompt, config or settings(early_stop=True), token_ids, steps, texts, ended_early=True
    )


@pytest.fixture
def page(tmp_path):
    def make(*traces, **options):
        out = tmp_path / "traces/base.html"
        titles = {"title": "How", "settings": {"run": "base"}, "headings": ["Sums"] * len(traces)} | options
        write_trace_page(traces, out, **titles)
        return out.read_text(encoding="utf-8")

    return make


class Structure(HTMLParser):
    """Count tags, and check that those which need an end have one in the right place."""

    FREE = frozenset({"meta", "path", "td", "th", "tr"})

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes = [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.attributes += attributes
        if tag not in self.FREE:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.FREE:
            assert self.open.pop() == tag


def structure(text):
    parser = Structure()
    parser.feed(text)
    assert not parser.open
    return parser


def test_the_page_is_self_contained_and_has_no_scripts(page):
    parsed = structure(page(trace_of(), trace_of()))
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(parsed.seen)
    names = {name for name, _ in parsed.attributes}
    assert not {name for name in names if name.startswith("on")} | ({"src", "style"} & names)
    assert all(value.startswith("#") for name, value in parsed.attributes if name == "href")
    policy = next(value for name, value in parsed.attributes if name == "content" and "default-src" in value)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_style_needs_nothing_from_outside(page):
    text = page(trace_of())
    assert not re.search(r"@import|url\(|expression\(", text)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_text_of_the_model_is_escaped_everywhere(page):
    steps = [step_output(0, [0, 1], [HOSTILE, HOSTILE], [0.9, 0.8], [0.1, 0.1], [True, True])]
    hostile = trace_of(
        (HOSTILE, HOSTILE, END, MASK),
        steps=steps,
        question=ATTACK,
        prompt=ATTACK,
        example_id=ATTACK,
        reference=ATTACK,
    )
    text = page(
        hostile,
        headings=[ATTACK],
        title=ATTACK,
        settings={ATTACK: ATTACK},
        caption=ATTACK,
    )
    assert "<script" not in text
    assert "<img" not in text
    assert not {"script", "img"} & set(structure(text).seen)
    assert text.count("&lt;script&gt;") > 10
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\x1b[2J\u202e\ud800" in text


def test_tokens_of_the_answer_show_step_and_confidence(page):
    answer = page(trace_of()).split('<p class="answer">')[1].split("</p>")[0]
    assert re.findall(r'<span class="t (\w+)"(?: data-s="(\d+)")? title="(.*?)">(.*?)</span>', answer) == [
        ("k5", "2", "position 1, step 2, confidence 0.500, entropy 0.700 nats", " two"),
        ("k0", "1", "position 2, step 1, confidence 0.950, entropy 0.100 nats", "one"),
        ("none", "", "&lt;|end|&gt;, position 3, filled in", "∎"),
        ("none", "", "&lt;|end|&gt;, position 4, filled in", "∎"),
    ]


def test_maps_have_a_row_per_step_and_a_dot_where_a_token_was_revealed(page):
    confidence, entropy = re.findall(r"<svg.*?</svg>", page(trace_of()), flags=re.S)
    assert 'viewBox="0 0 4 2"' in confidence
    drawn = [re.findall(r'class="(\w+)" d="(.*?)"', one) for one in (confidence, entropy)]
    dots = ("dots", "M1.5 0h0M0.5 1h0")
    assert drawn[0] == [("k3", "M0 0h1"), ("k5", "M0 1h1"), ("k9", "M1 0h1"), dots]
    assert drawn[1] == [("k0", "M1 0h1"), ("k2", "M0 1h1"), ("k4", "M0 0h1"), dots]


def test_neighbours_of_one_shade_are_drawn_at_once(page):
    steps = [step_output(0, [0, 1, 3], [ONE] * 3, [0.71, 0.79, 0.75], [9.0] * 3, [False] * 3)]
    assert page(trace_of(steps=steps)).count('d="M0 0h2M3 0h1"') == 2, "also what is beyond the scale"


def test_predictions_are_tabulated_by_block(page):
    block = page(trace_of()).split("Block 1: positions 1 to 2</summary>")[1].split("</table>")[0]
    rows = [line for line in block.splitlines() if line.startswith("<tr")]
    assert rows == [
        '<tr><th>1<td class=k3>one<td class="k9 k">one',
        '<tr><th>2<td class="k5 k"> two<td>',
        '<tr class="done"><th>end<td> two<td>one',
    ]


def test_the_order_of_unmasking_is_a_table(page):
    rows = page(trace_of()).split("Order of unmasking</h3>")[1].split("</table>")[0]
    assert [line.split("<td")[1:] for line in rows.splitlines() if line.startswith("<tr><td")] == [
        [">1", ">2", ' class="text tok">one', ">0.950", ">0.100"],
        [">2", ">1", ' class="text tok"> two', ">0.500", ">0.700"],
    ]


def test_the_settings_of_the_run_are_shown(page):
    text = page(trace_of(reference=[3, 4]), caption="Made-up numbers.")
    assert "<dt>run</dt><dd>base</dd>" in text
    assert "<dt>process</dt><dd>exact</dd>" in text
    assert 'Reference: <code class="tok">[3, 4]</code>' in text
    assert "Made-up numbers." in text
    assert "ended early" in text
    approximate = page(trace_of(config=settings(confidence_threshold=0.9)))
    assert "<dd>approximate" in approximate
    assert "What this is" not in approximate
    assert "Reference" not in approximate


def test_with_random_remasking_the_page_shows_probabilities_at_drawn_positions(page):
    logits = torch.randn(5, len(TEXTS), generator=torch.Generator().manual_seed(0))
    logits[:, MASK] = -50.0
    steps, config = [], settings(remasking="random")
    (answer,) = stream_answers(
        ScriptedModel(logits),
        [Prompt(0, [ONE])],
        config,
        batch_size=1,
        noise=HashedNoise(1),
        callback=steps.append,
    )
    text = page(trace_of(answer.token_ids, steps=steps, config=config))
    shown = re.findall(r'title="[^"]*position (\d), step \d, confidence ([\d.]+),', text)
    probability = logits.softmax(dim=1)
    expected = [f"{probability[column, token]:.3f}" for column, token in enumerate(answer.token_ids, start=1)]
    assert shown == [(str(column), value) for column, value in enumerate(expected, start=1)]
    block = text.split("Block 1:")[1].split("</table>")[0]
    rows = [line for line in block.splitlines() if line.startswith("<tr><th>") and "<td" in line]
    assert [len(re.findall(r"<td[^>]*>[^<]", row)) for row in rows] == [1, 1], "one position is asked about"


def words(text):
    return " ".join(text.split())


def test_the_page_explains_numbers_and_gaps_for_each_mode(page):
    surest = words(page(trace_of()))
    assert "Probability of the most probable token: <span" in surest
    assert "it predicts all masked positions of the current block" in surest
    assert "The most probable token at each masked position, shaded" in surest
    assert "Empty: already revealed." in surest
    drawn = words(page(trace_of(config=settings(temperature=0.5))))
    assert "Probability of the token drawn, without the noise: <span" in drawn
    assert "The drawn token at each masked position, shaded" in drawn
    assert "most probable" not in drawn
    chosen = words(page(trace_of(config=settings(remasking="random"))))
    assert "Probability of the most probable token; positions are chosen at random: <span" in chosen
    assert "some masked positions are chosen at random" in chosen
    assert "The most probable token at each position chosen in a step, shaded" in chosen
    assert "Empty: not chosen in this step." in chosen
    for false in ("random number", "already revealed", "all masked positions", "masked again"):
        assert false not in chosen


def test_several_traces_can_be_jumped_to(page):
    text = page(trace_of(), trace_of(), headings=["Sums", "Boards"])
    assert re.findall(r'href="(.*?)">(.*?)<', text) == [("#q1", "Sums"), ("#q2", "Boards")]
    assert re.findall(r'<h2 id="(.*?)">(.*?)</h2>', text) == [("q1", "Sums"), ("q2", "Boards")]
    assert "<nav" not in page(trace_of())


def test_the_same_traces_give_the_same_bytes(page):
    assert page(trace_of()) == page(trace_of())


def long_trace(gen_length, block_length):
    """A trace without any regularity: two tokens a step, all confidences different."""
    draws = random.Random(0)
    texts = {number: draws.choice([" word", "word", "12", "<|", "."]) for number in range(500)}
    steps = []
    for block in range(gen_length // block_length):
        left = list(range(block * block_length, (block + 1) * block_length))
        while left:
            kept = draws.sample(left, 2)
            numbers = [draws.random() for _ in left]
            ids = [draws.randrange(2, 500) for _ in left]
            steps.append(step_output(block, left, ids, numbers, numbers, [one in kept for one in left]))
            left = [one for one in left if one not in kept]
    final = {
        c: i
        for one in steps
        for c, i, kept in zip(one.columns, one.token_ids, one.is_revealed, strict=True)
        if kept
    }
    config = settings(gen_length=gen_length, block_length=block_length, diffusion_steps=gen_length // 2)
    return trace_of([final[c] for c in range(gen_length)], steps=steps, texts=texts, config=config)


@pytest.mark.parametrize(("gen_length", "most"), [(32, 40_000), (512, 300_000)])
def test_pages_stay_small(page, gen_length, most):
    text = page(long_trace(gen_length, 32))
    assert len(text.encode()) < most
    assert structure(text).seen.count("path") <= 22


def test_a_page_of_a_report_links_back_to_it(page):
    linked = page(trace_of(), report="../index.html")
    assert re.findall(r'<a href="(.*?)">(.*?)</a>', linked) == [("../index.html", "Back to the report")]
    assert "<a " not in page(trace_of())


def test_a_token_does_not_break_before_the_number_of_its_step(page):
    style = page(trace_of()).split("<style>")[1].split("</style>")[0]
    (rule,) = re.findall(r"^\.t \{(.*?)\}", style, flags=re.M)
    assert "display: inline-block" in rule
