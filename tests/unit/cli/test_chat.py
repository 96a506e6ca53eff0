"""``weft chat`` with the shipped base model."""

from typer.testing import CliRunner

from weft.cli import app

BASE = ["chat", "--base", "experiments/tiny-base", "--threads", "1"]
QUESTION = "Tom has 4 apples and buys 5 more. How many apples does Tom have now?\n"


def run(*arguments, text=QUESTION):
    return CliRunner().invoke(app, [*BASE, *map(str, arguments)], input=text)


def test_questions_from_a_pipe_are_answered_without_escapes():
    result = run("--experiment", "tiny")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("<reasoning>")
    assert "\x1b" not in result.output
    assert ">" not in result.stdout[:1], "no prompt in a file"


def test_options_replace_those_of_the_experiment():
    options = ["--gen-length", 16, "--block-length", 8, "--steps", 4]
    cold = [run(*options).stdout for _ in range(2)]
    warm = [run(*options, "--temperature", 3, "--seed", seed).stdout for seed in (1, 2, 1)]
    assert cold[0] == cold[1]
    assert warm[0] == warm[2] != warm[1]


def test_lengths_that_do_not_fit_are_refused_before_the_first_question():
    result = run("--gen-length", 20, "--block-length", 8)
    assert "gen_length must be a multiple of block_length=8, got 20" in str(result.exception)
