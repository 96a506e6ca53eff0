"""A conversation with a model in the terminal, whose answers are redrawn while they are denoised.

The text of a model is not trusted: control characters, with which a text could move the cursor or rename the
window, are shown as signs or escapes and never sent to the terminal.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.live import Live
from rich.text import Text
from transformers import PreTrainedTokenizerBase

from weft.data.encoding import encode_prompt
from weft.data.special_tokens import TURN_END_TOKENS
from weft.errors import WeftError
from weft.model import Predictor
from weft.records import Message
from weft.report.shown_text import END_SIGN, MASK_SIGN
from weft.sampling.config import SamplingConfig
from weft.sampling.denoise import Prompt
from weft.sampling.noise import HashedNoise, key_of_prompt
from weft.sampling.stream import StepCallback, StepOutput, stream_answers
from weft.trace.collect import visible
from weft.trace.terminal import fit_encoding

HELP = "/reset forgets the conversation, /exit or Ctrl-D ends it, Ctrl-C stops an answer."
EXIT, RESET, SHOW_HELP = ("/exit", "/quit", "/bye"), "/reset", "/help"
KEPT = "\n\t"
"""Control characters that are shown as they are."""


@dataclass(frozen=True)
class Reply:
    """An answer, and what was left out of the conversation to make room for it.

    Attributes:
        text: the answer, prefill included.
        num_forgotten: number of earlier messages that no longer fit.
    """

    text: str
    num_forgotten: int


class Conversation:
    """A model, and the turns that it has seen.

    Args:
        model: mask predictor, adapter included.
        tokenizer: tokenizer of the model.
        config: settings of the sampler.
        seed: seed of the noise, if the settings use any.
        prefill: beginning of every answer.
        system: system message; None for none.
        context: longest sequence of the model, in tokens; None if it is not known.

    Attributes:
        turns: messages of user and model so far.
    """

    def __init__(
        self,
        model: Predictor,
        tokenizer: PreTrainedTokenizerBase,
        config: SamplingConfig,
        *,
        seed: int = 0,
        prefill: str = "",
        system: str | None = None,
        context: int | None = None,
    ) -> None:
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.noise = HashedNoise(seed) if config.needs_noise else None
        self.prefill, self.context = prefill, context
        self.beginning = [] if system is None else [Message(role="system", content=system)]
        self.turns: list[Message] = []

    def ask(self, text: str, callback: StepCallback | None = None) -> Reply:
        """Answer a message, and remember both; if the answer is interrupted, neither is remembered.

        Args:
            text: the message.
            callback: called after every denoising step.

        Returns:
            The answer.

        Raises:
            SamplingError: the message alone leaves no room for an answer.
            DataError: the message cannot be encoded.
        """
        kept = list(self.turns)
        prompt = self._encode(text, kept)
        while kept and self.context is not None and len(prompt) + self.config.gen_length > self.context:
            del kept[:2]  # the oldest question with its answer
            prompt = self._encode(text, kept)
        prompts = [Prompt(0, prompt, key_of_prompt(prompt))]
        (answer,) = stream_answers(
            self.model, prompts, self.config, batch_size=1, noise=self.noise, callback=callback
        )
        num_forgotten = len(self.turns) - len(kept)
        reply = self.prefill + self._decode_answer(answer.token_ids)
        question = Message(role="user", content=text)
        self.turns = [*kept, question, Message(role="assistant", content=reply)]
        return Reply(reply, num_forgotten)

    def reset(self) -> None:
        """Forget all turns but the system message."""
        self.turns = []

    @property
    def end_ids(self) -> set[int]:
        """Token ids that end an answer."""
        vocabulary = self.tokenizer.get_vocab()
        ends = {vocabulary[token] for token in TURN_END_TOKENS if token in vocabulary}
        return ends if self.config.eos_token_id is None else {*ends, self.config.eos_token_id}

    def _encode(self, text: str, turns: Sequence[Message]) -> list[int]:
        history = [*self.beginning, *turns]
        return encode_prompt(
            self.tokenizer, text, prefill=self.prefill, history=history, special_tokens="plain_text"
        )

    def _decode_answer(self, token_ids: Sequence[int]) -> str:
        ends = self.end_ids
        length = next((index for index, token in enumerate(token_ids) if token in ends), len(token_ids))
        return str(self.tokenizer.decode(list(token_ids[:length]), skip_special_tokens=True))


class Draft:
    """The answer as far as it is revealed.

    Args:
        conversation: the conversation to which the answer belongs.
        console: console on which it is shown.
    """

    def __init__(self, conversation: Conversation, console: Console) -> None:
        self.conversation, self.console = conversation, console
        self.canvas = [conversation.config.mask_token_id] * conversation.config.gen_length
        self.fresh: set[int] = set()
        self._ends = conversation.end_ids

    def update(self, step: StepOutput) -> None:
        """Reveal the tokens of a denoising step."""
        entries = zip(step.columns, step.token_ids, step.is_revealed, strict=True)
        revealed = {column: token_id for column, token_id, is_revealed in entries if is_revealed}
        for column, token_id in revealed.items():
            self.canvas[column] = token_id
        self.fresh = set(revealed)

    def render(self) -> Text:
        """Return the draft: masks as signs, new tokens in bold, and a run of end tokens as a single sign."""
        text = Text(fit_encoding(self.console, visible(self.conversation.prefill, keep=KEPT)))
        for (kind, is_fresh), group in groupby(enumerate(self.canvas), key=self._kind):
            ids = [token_id for _, token_id in group]
            if kind == "mask":
                text.append(fit_encoding(self.console, MASK_SIGN * len(ids)), "dim")
            elif kind == "end":
                text.append(fit_encoding(self.console, END_SIGN), "dim")
            else:
                shown = str(self.conversation.tokenizer.decode(ids, skip_special_tokens=False))
                text.append(fit_encoding(self.console, visible(shown, keep=KEPT)), "bold" if is_fresh else "")
        return text

    def _kind(self, entry: tuple[int, int]) -> tuple[str, bool]:
        column, token_id = entry
        if token_id == self.conversation.config.mask_token_id:
            return "mask", False
        return ("end", False) if token_id in self._ends else ("text", column in self.fresh)


def chat(
    conversation: Conversation,
    console: Console,
    notes: Console,
    lines: Iterator[str],
    *,
    is_drawn: bool = False,
) -> None:
    """Answer lines until they end or a command ends the conversation.

    Args:
        conversation: the conversation.
        console: console for the answers.
        notes: console for everything else.
        lines: messages and commands; may raise KeyboardInterrupt.
        is_drawn: redraw each answer while it is denoised, which requires a terminal.
    """
    while True:
        try:
            line = next(lines, None)
        except KeyboardInterrupt:
            notes.print(f"\n{HELP}", style="dim")
            continue
        if line is None or line.strip() in EXIT:
            return
        text = line.strip().encode(errors="replace").decode()
        if text == RESET:
            conversation.reset()
            notes.print("The conversation is forgotten.", style="dim")
        elif text == SHOW_HELP:
            notes.print(HELP, style="dim")
        elif text:
            _answer(conversation, console, notes, text, is_drawn=is_drawn)


def _answer(
    conversation: Conversation, console: Console, notes: Console, text: str, *, is_drawn: bool
) -> None:
    try:
        reply = _draw(conversation, console, text) if is_drawn else conversation.ask(text)
    except KeyboardInterrupt:
        notes.print("Stopped; message and answer are forgotten.", style="dim")
        return
    except WeftError as error:
        notes.print(Text(f"error: {visible(str(error))}", "red"), soft_wrap=True)
        return
    if reply.num_forgotten:
        note = f"({reply.num_forgotten} earlier messages no longer fit into the model's context.)"
        notes.print(note, style="dim")
    if not reply.text.strip():
        notes.print("(The answer is empty.)", style="dim")
    console.print(Text(fit_encoding(console, visible(reply.text, keep=KEPT))), soft_wrap=True)


def _draw(conversation: Conversation, console: Console, text: str) -> Reply:
    """Answer a message on a display that is redrawn after every step, and removed at the end."""
    draft = Draft(conversation, console)
    with Live(draft.render(), console=console, auto_refresh=False, transient=True) as live:

        def redraw(step: StepOutput) -> None:
            draft.update(step)
            live.update(draft.render(), refresh=True)

        return conversation.ask(text, redraw)


class Lines(Iterator[str]):
    """The lines that a function asks for, until it raises EOFError.

    Unlike a generator, the iterator can go on after a KeyboardInterrupt.

    Args:
        ask: function that returns the next line.
    """

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask

    def __next__(self) -> str:
        """Return the next line."""
        try:
            return self._ask()
        except EOFError:
            raise StopIteration from None
