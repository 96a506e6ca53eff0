"""The model class that lm-evaluation-harness calls, under the name ``weft``."""

import hashlib
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.utils import simple_parse_args_string
from tqdm import tqdm

from weft import __version__
from weft.errors import ConfigError, SamplingError
from weft.harness.checkpoints import choose_device, load
from weft.harness.settings import GenerationRequest, read_generation, read_model_arguments
from weft.harness.texts import choose_template, cut_answer, encode, encode_pair, format_chat
from weft.records import JsonObject
from weft.sampling.config import SamplingConfig
from weft.sampling.denoise import Prompt
from weft.sampling.likelihood import (
    Continuation,
    LikelihoodConfig,
    stream_greedy_answers,
    stream_log_likelihoods,
)
from weft.sampling.noise import HashedNoise, key_of_name, key_of_prompt
from weft.sampling.stream import stream_answers

LOG = logging.getLogger(__name__)
SECONDS_BETWEEN_LOG_LINES = 30.0


class WeftLM(LM):
    """A masked diffusion model of weft for lm-evaluation-harness.

    The harness makes it from ``--model weft --model_args pretrained=...``; all arguments are described in
    docs/lm-eval.md and in `weft.harness.settings.ModelArguments`.

    Args:
        **arguments: arguments of the model.

    Raises:
        ConfigError: an argument is unknown or not valid.
        CheckpointError: the model cannot be loaded.
    """

    def __init__(self, **arguments: object) -> None:
        super().__init__()
        self.arguments = read_model_arguments(arguments)
        self._device = choose_device(self.arguments.device)
        self.accelerator = _join_processes(self._device)
        if self.accelerator is not None:
            self._device = self.accelerator.device
            self._rank = self.accelerator.process_index
            self._world_size = self.accelerator.num_processes
        self.loaded = load(self.arguments, self._device)
        self.tokenizer = self.loaded.tokenizer
        self.template = choose_template(self.tokenizer, True)
        self.batch_size = self.arguments.first_batch_size(self._device.type)
        longest = self.arguments.max_length or self.loaded.context
        if longest > self.loaded.context:
            raise ConfigError(
                f"max_length must be at most {self.loaded.context}, the context of the model, got {longest}"
            )
        self.max_length = longest

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: Mapping[str, object] | None = None
    ) -> "WeftLM":
        """Make the model from ``name=value,...``; values that the harness leaves open are omitted."""
        given = {name: value for name, value in (additional_config or {}).items() if value is not None}
        return cls(**simple_parse_args_string(arg_string), **given)

    @property
    def eot_token_id(self) -> int:
        """Id of the end-of-text token, which the harness stores with the results."""
        return int(self.tokenizer.eos_token_id)

    @property
    def tokenizer_name(self) -> str:
        """Name of tokenizer and template, under which the harness caches the texts of prompts."""
        name = str(self.tokenizer.name_or_path).replace("/", "__")
        return f"{name}-{hashlib.sha256(self.template.encode()).hexdigest()[:12]}"

    def chat_template(self, chat_template: bool | str = False) -> str:
        """Return the chat template that the harness stores with the results, and use it from now on."""
        if chat_template is False:
            return ""
        self.template = choose_template(self.tokenizer, chat_template)
        return self.template

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Format a conversation as a prompt."""
        return format_chat(self.tokenizer, chat_history, self.template, is_complete=add_generation_prompt)

    def get_model_info(self) -> dict[str, object]:
        """Return what the harness stores about the model in its results."""
        info: dict[str, object] = {
            "model_num_parameters": sum(parameter.numel() for parameter in self.loaded.model.parameters()),
            "model_dtype": str(self.loaded.dtype),
            "model_revision": self.arguments.revision,
            "model_sha": self.loaded.commit or "",
            "weft_version": __version__,
            "weft_arguments": self.arguments.model_dump(mode="json"),
        }
        if self.arguments.adapter is not None:
            info["peft_sha"] = self.loaded.adapter_commit or ""
        return info

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Answer prompts with the sampler, and cut each answer at the texts that end it.

        Args:
            requests: prompts with generation arguments.

        Returns:
            The answers, in order.

        Raises:
            ConfigError: a generation argument is not valid or not supported.
            SamplingError: a prompt leaves no room for the answer.
        """
        wanted = [self._generation_request(request.args[1]) for request in requests]
        prompts = [encode(self.tokenizer, request.args[0]) for request in requests]
        prompts = self._fit(prompts, [item.config.gen_length for item in wanted], requests)
        # Copies of a request are answered with different random numbers, or once if none are used.
        copies: Counter[tuple[GenerationRequest, tuple[int, ...]]] = Counter()
        keys: list[int] = []
        for item, prompt in zip(wanted, prompts, strict=True):
            number = copies[item, tuple(prompt)] if item.config.needs_noise else 0
            copies[item, tuple(prompt)] += 1
            keys.append(key_of_prompt(prompt) if number == 0 else key_of_name(f"{prompt}/{number}"))
        groups: dict[tuple[SamplingConfig, int], dict[tuple[tuple[int, ...], int], list[int]]] = {}
        for index, (item, prompt, key) in enumerate(zip(wanted, prompts, keys, strict=True)):
            group = groups.setdefault((item.config, item.seed), {})
            group.setdefault((tuple(prompt), key), []).append(index)
        answers: list[str] = [""] * len(requests)
        with self._progress("answers", sum(map(len, groups.values()))) as bar:
            for (config, seed), group in groups.items():
                for indices, token_ids in self._sample(config, seed, group):
                    for index in indices:
                        answers[index] = cut_answer(
                            self.tokenizer,
                            token_ids,
                            until=wanted[index].until,
                            max_tokens=wanted[index].max_tokens,
                        )
                        self.cache_hook.add_partial("generate_until", requests[index].args, answers[index])
                    bar.update()
        return answers

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Estimate the log-likelihood of each continuation by the masked bound.

        Args:
            requests: contexts and continuations.

        Returns:
            For each request the bound in nats, and whether the model samples this continuation.

        Raises:
            SamplingError: a context leaves no room for its continuation.
        """
        encoded = [encode_pair(self.tokenizer, *request.args) for request in requests]
        prompts = self._fit([pair[0] for pair in encoded], [len(pair[1]) for pair in encoded], requests)
        pairs = [
            Continuation(Prompt(index, prompt, key_of_prompt(prompt), _name(request)), answer)
            for index, (prompt, (_, answer), request) in enumerate(
                zip(prompts, encoded, requests, strict=True)
            )
        ]
        is_greedy = dict.fromkeys(range(len(pairs)), False)
        if self.arguments.is_check_greedy:
            compared = stream_greedy_answers(
                self.loaded.model,
                pairs,
                mask_token_id=self.tokenizer.mask_token_id,
                cfg_scale=self.arguments.cfg_scale,
                batch_size=self.batch_size,
            )
            is_greedy.update(self._watched(compared, "greedy answers", len(pairs)))
        config = LikelihoodConfig(
            mc_num=self.arguments.mc_num,
            seed=self.arguments.seed,
            cfg_scale=self.arguments.cfg_scale,
            enumerate_short=self.arguments.enumerate_short,
            mask_token_id=self.tokenizer.mask_token_id,
        )
        values = stream_log_likelihoods(self.loaded.model, pairs, config, batch_size=self.batch_size)
        results: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
        for index, value in self._watched(values, "likelihoods", len(pairs)):
            results[index] = value, is_greedy[index]
            self.cache_hook.add_partial("loglikelihood", requests[index].args, results[index])
        return results

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Refuse tasks that measure the perplexity of whole texts, as LLaDA's evaluation does."""
        raise ConfigError(
            "tasks that measure the perplexity of whole texts (loglikelihood_rolling), such as "
            f"{requests[0].task_name if requests else 'wikitext'}, are not supported: a masked diffusion "
            "model only bounds it, and the numbers would not be comparable; leave these tasks out"
        )

    def all_gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensors of all processes, concatenated."""
        if self.accelerator is None:
            return tensor
        gathered = self.accelerator.gather(tensor)
        assert isinstance(gathered, torch.Tensor), "accelerate returns a tensor for a tensor"
        return gathered

    def gather_object(self, obj: Any, dst: int = 0) -> list[Any] | None:
        """Return the objects of all processes on process ``dst``, and None on the others."""
        if self.accelerator is None:
            return [obj]
        objects: list[Any] | None = [None] * self.world_size if self.rank == dst else None
        torch.distributed.gather_object(obj, objects, dst=dst)
        return objects

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.accelerator is not None:
            self.accelerator.wait_for_everyone()

    def _generation_request(self, given: JsonObject) -> GenerationRequest:
        return read_generation(
            self.arguments,
            given,
            mask_token_id=self.tokenizer.mask_token_id,
            eos_token_id=self.tokenizer.eos_token_id,
        )

    def _sample(
        self, config: SamplingConfig, seed: int, group: Mapping[tuple[tuple[int, ...], int], Sequence[int]]
    ) -> Iterator[tuple[Sequence[int], list[int]]]:
        """Yield the indices of the requests that an answer belongs to, and its token ids."""
        members = [*group.items()]
        prompts = [Prompt(number, ids, key) for number, ((ids, key), _) in enumerate(members)]
        noise = HashedNoise(seed) if config.needs_noise else None
        for answer in stream_answers(
            self.loaded.model, prompts, config, batch_size=self.batch_size, noise=noise
        ):
            yield members[answer.index][1], answer.token_ids

    def _fit(
        self, prompts: Sequence[list[int]], lengths: Sequence[int], requests: Sequence[Instance]
    ) -> list[list[int]]:
        """Return the prompts; those that leave too little room lose their beginning, or are an error."""
        rooms = [self.max_length - length for length in lengths]
        too_long = [index for index, prompt in enumerate(prompts) if len(prompt) > rooms[index]]
        if not too_long:
            return list(prompts)
        first = too_long[0]
        problem = (
            f"prompt and answer must have at most {self.max_length} tokens together, got {len(too_long)} of "
            f"{len(prompts)} requests that are longer, such as {_name(requests[first])} with "
            f"{len(prompts[first])} and {lengths[first]} tokens"
        )
        if self.arguments.too_long == "error" or min(rooms) < 0:
            raise SamplingError(
                f"{problem}; choose a smaller --num_fewshot or gen_length, or cut off the beginning of "
                "such prompts with --model_args too_long=truncate"
            )
        LOG.warning("%s; the beginning of these prompts is cut off", problem)
        return [prompt[max(0, len(prompt) - room) :] for prompt, room in zip(prompts, rooms, strict=True)]

    def _watched(self, items: Iterator[Any], name: str, total: int) -> Iterator[Any]:
        with self._progress(name, total) as bar:
            for item in items:
                yield item
                bar.update()

    def _progress(self, name: str, total: int) -> "tqdm[Any]":
        return tqdm(
            desc=f"weft, {name}",
            total=total,
            disable=self.rank > 0,
            mininterval=0.1 if sys.stderr.isatty() else SECONDS_BETWEEN_LOG_LINES,
        )


def _name(request: Instance) -> str:
    """Return the task and the number of the document of a request, for messages."""
    return f"document {request.doc_id} of {request.task_name}"


def _join_processes(device: torch.device) -> Any:
    """Connect to the processes that ``accelerate launch`` or torchrun started; None for a single process."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return None
    from accelerate import Accelerator

    return Accelerator(cpu=device.type == "cpu")
