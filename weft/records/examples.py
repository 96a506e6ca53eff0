"""Test questions and training examples."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from weft.records.base import Record


class Question(Record):
    """A test question of a benchmark."""

    example_id: str
    """Sixteen hexadecimal digits that depend on benchmark and question only."""
    benchmark: str
    """Name of the benchmark."""
    question: str
    """Text of the question, without an instruction."""
    prompt: str
    """Text of the user's turn: the instruction, if there is one, and the question."""
    reference: JsonValue
    """The right answer, in the form that the benchmark's scorer expects."""


class Message(Record):
    """A turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    """Role of the speaker."""
    content: str
    """Text of the turn."""


class Example(Record):
    """A training example: a question with the answer to learn."""

    example_id: str
    """Sixteen hexadecimal digits that depend on data set, question and answer."""
    question: str
    """Text of the user's last turn."""
    answer: str
    """Text of the assistant's last turn, the only one that is trained."""
    source: str
    """Name of the data set or generator."""
    history: tuple[Message, ...] = Field(default=(), strict=False)
    """Turns before the question; they belong to the prompt."""
    origin: str | None = None
    """Place from which the example was read, such as "FILE, line N"; None if it was generated."""

    @property
    def prompt(self) -> list[Message]:
        """All turns but the answer."""
        return [*self.history, Message(role="user", content=self.question)]

    @property
    def user_turns(self) -> list[str]:
        """Texts of all turns of the user."""
        return [turn.content for turn in self.prompt if turn.role == "user"]


_Number = Annotated[int, Field(ge=0, le=10**15)]


class LengthSummary(Record):
    """Lengths of a prepared data set, and what the length limit cuts off; the file ``summary.json``.

    The length of an example is the number of its prompt and answer tokens, before it is cut and without
    padding. Shares lie between 0 and 1.
    """

    num_examples: _Number
    """Number of examples that are trained on."""
    mean_length: float
    """Mean length of an example, in tokens."""
    median_length: float
    """Median length of an example, in tokens."""
    p95_length: float
    """95th percentile of the lengths, in tokens."""
    max_length: _Number
    """Length of the longest example, in tokens."""
    mean_prompt_length: float
    """Mean length of a prompt, in tokens."""
    median_prompt_length: float
    """Median length of a prompt, in tokens."""
    max_prompt_length: _Number
    """Length of the longest prompt, in tokens."""
    length_limit: _Number
    """The setting ``training.max_length``, in tokens."""
    num_tokens: _Number
    """Number of tokens of all examples."""
    num_tokens_cut: _Number
    """Number of tokens beyond the limit."""
    num_cut_off: _Number
    """Number of examples longer than the limit."""
    share_tokens_cut: float
    """Share of the tokens that lie beyond the limit."""
    share_cut_off: float
    """Share of the examples longer than the limit."""
    share_end_of_turn_cut_off: float
    """Share of the examples whose answer loses its end-of-turn token."""
    num_with_answer_tag: _Number
    """Number of examples whose answer has the tag ``<answer>``."""
    share_answer_tag_cut_off: float | None
    """Share of these examples that lose the tag; None if no example has the tag."""
    num_heldout: _Number
    """Number of examples left out of training, from the front."""
    layout: str
    """Tokenization of prompt and answer: ``exact`` or ``d1``."""
    num_too_long: _Number | None = None
    """Number of examples left out because they are too long (``too_long`` in the experiment); None if there
    are none."""
    too_long_places: tuple[str, ...] = Field(default=(), strict=False)
    """Files and lines of the first of them."""
