"""A small byte-level tokenizer for models trained from scratch.

It has LLaDA's special tokens and chat template, so a small model runs through the same code as the 8B
model, with two differences: the mask token is declared, and the template appends the assistant header only
on request. Every text can be encoded. A number below 100 is a single token, so that a small network can
learn sums by heart. Longer runs of digits, such as a Sudoku board, are split into single digits.
"""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

START_OF_TEXT = "<|startoftext|>"
END_OF_TEXT = "<|endoftext|>"
MASK = "<|mdm_mask|>"
START_HEADER = "<|start_header_id|>"
END_HEADER = "<|end_header_id|>"
END_OF_TURN = "<|eot_id|>"
SPECIAL_TOKENS = (START_OF_TEXT, END_OF_TEXT, MASK, START_HEADER, END_HEADER, END_OF_TURN)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ bos_token if loop.first else '' }}"
    f"{START_HEADER}{{{{ message['role'] }}}}{END_HEADER}\n\n{{{{ message['content'] | trim }}}}{END_OF_TURN}"
    "{% endfor %}"
    f"{{% if add_generation_prompt %}}{START_HEADER}assistant{END_HEADER}\n\n{{% endif %}}"
)

# Tokens do not cross these pieces: a number below 100, a tag, a LaTeX command with its brace, a word.
PIECES = r"(?<!\d)\d{1,2}(?!\d)|\d|</?[a-z]+>|\\[a-z]+\{| ?[A-Za-z]+|\n+| ?[^\sA-Za-z\d<\\]|."


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-pair tokenizer.

    Args:
        texts: documents without special tokens.
        vocab_size: size of the vocabulary, including the special tokens and the 256 bytes.

    Returns:
        A fast tokenizer with mask, end-of-text and padding tokens and a chat template.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token=START_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,  # as in LLaDA: padding is the end-of-text token
        mask_token=MASK,
        additional_special_tokens=[START_HEADER, END_HEADER, END_OF_TURN],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
