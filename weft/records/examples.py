"""Test questions and training examples."""

from typing import Literal

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
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    """Who speaks."""
    content: str
    """Text of the turn."""


class Example(Record):
    """A training example: one question with the answer to learn."""

    example_id: str
    """Sixteen hexadecimal digits that depend on data set, question and answer."""
    question: str
    """Text of the user's last turn."""
    answer: str
    """Text of the assistant's last turn, the only one that is trained."""
    source: str
    """Name of the data set or generator that the example comes from."""
    history: tuple[Message, ...] = Field(default=(), strict=False)
    """Turns before the question; they belong to the prompt."""

    @property
    def prompt(self) -> list[Message]:
        """All turns but the answer."""
        return [*self.history, Message(role="user", content=self.question)]

    @property
    def user_turns(self) -> list[str]:
        """Texts of all turns of the user."""
        return [turn.content for turn in self.prompt if turn.role == "user"]
