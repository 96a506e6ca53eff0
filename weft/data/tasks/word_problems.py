r"""Two-step word problems, with answers in the form of GSM8K.

    question    Tom has 12 pens. Tom buys 7 more and then gives away 5. How many pens does Tom have now?
    rationale   12+7=19, 19-5=14
    answer      \boxed{14}

The reference is a number, as in d1's stored generations.
"""

import random

from weft.data.tasks.problem import Problem, canonical

NAMES = ("Tom", "Ana", "Ben", "Eva", "Max", "Mia", "Leo", "Zoe")
THINGS = ("pens", "books", "coins", "cards", "eggs", "shells")

# Text, first operation, second operation.
STORIES = (
    ("{name} has {a} {thing}. {name} buys {b} more and then gives away {c}. "
     "How many {thing} does {name} have now?", "+", "-"),
    ("{name} has {a} {thing}. {name} loses {b} and then finds {c}. "
     "How many {thing} does {name} have now?", "-", "+"),
    ("{name} has {a} {thing}, {other} has {b} and the teacher has {c}. "
     "How many {thing} do they have together?", "+", "+"),
    ("{name} had {a} {thing}. {b} were sold on Monday and {c} on Friday. "
     "How many {thing} are left?", "-", "-"),
    ("{name} fills {a} bags with {b} {thing} each and has {c} {thing} over. "
     "How many {thing} does {name} have?", "*", "+"),
    ("{name} fills {a} bags with {b} {thing} each and then gives away {c}. "
     "How many {thing} does {name} have now?", "*", "-"),
)  # fmt: skip


def sample_problem(rng: random.Random) -> Problem:
    """Sample a word problem with numbers from 2 to 20 and results from 1 to 40."""
    while True:
        story, first, second = rng.choice(STORIES)
        limit = 9 if first == "*" else 20
        a, b, c = rng.randint(2, limit), rng.randint(2, limit), rng.randint(2, 20)
        middle = a * b if first == "*" else a + b if first == "+" else a - b
        value = middle + c if second == "+" else middle - c
        if 1 <= middle <= 40 and 1 <= value <= 40:
            break
    name, other = rng.sample(NAMES, 2)
    question = story.format(name=name, other=other, thing=rng.choice(THINGS), a=a, b=b, c=c)
    return Problem(
        benchmark="gsm8k",
        key=canonical([first, second, a, b, c]),
        question=question,
        reference=float(value),
        rationale=f"{a}{first}{b}={middle}, {middle}{second}{c}={value}",
        answer=rf"\boxed{{{value}}}",
    )
