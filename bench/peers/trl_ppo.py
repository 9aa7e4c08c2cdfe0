"""TRL 0.11.4's PPO, one step when told. Runs in the peer's own environment; imports nothing of lastmile or bench.

    the first line in:   {"family": …, "config": {…}, "documents": B, "samples": K, …}
    the first line out:  versions, threads, allocator, bytes of libraries, weights, reference and AdamW's two moments
    then for a line in:  {"lengths": [...]}, tokens of each summary     → {"seconds": …, "tokens": …, "peak_bytes": …}

TRL as its documentation uses it, one PPO epoch and one optimizer step a batch: `generate` in one batch of all B·K
queries (its default is 4), the update in mini-batches of the size that is asked for, whose gradients add up. Each
document is a query K times, since TRL knows pairs only. Scores are random numbers, made before the clock starts.
What is set beside that, and why:

- Dropout 0: TRL trains with the model in training mode; lastmile trains without dropout.
- `padding_side` right: TRL's batches of encoder-decoders are read from the left.
- A generation config made from the model's: the value-head wrapper reads one.
- bf16: accelerate's autocast covers the forward passes of `step` but not `generate`, which gets autocast here.
- `remove_padding` cuts each response after its first end marker, so the planned lengths are kept to the token.
"""

import json
import os
import resource
import sys
import time
import warnings

# What libraries print goes to stderr: stdout belongs to the line protocol.
talk = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
warnings.filterwarnings("ignore")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
start = json.loads(sys.stdin.readline())

import torch  # noqa: E402

torch.set_num_threads(start["threads"])

import transformers  # noqa: E402
import trl  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForSeq2SeqLM,
    BartConfig,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PegasusConfig,
    PreTrainedTokenizerFast,
    T5Config,
)
from trl import AutoModelForSeq2SeqLMWithValueHead, PPOConfig, PPOTrainer, create_reference_model  # noqa: E402


class PlannedEnds(LogitsProcessor):
    """Row r ends after `lengths[r]` tokens and not before; rows at the limit are cut there."""

    def __init__(self, lengths, limit, eos_id):
        self.ending = {}
        for row, length in enumerate(lengths):
            if length < limit:
                self.ending.setdefault(length, []).append(row)
        self.eos_id = eos_id

    def __call__(self, input_ids, scores):
        """In place."""
        scores[:, self.eos_id] = -torch.inf
        rows = self.ending.get(input_ids.shape[1])
        if rows:
            scores[rows] = -torch.inf
            scores[rows, self.eos_id] = 0.0
        return scores


def build_tokenizer(config):
    """One word a token; TRL pads with it and decodes nothing that is timed."""
    size = config.vocab_size
    words = {"<pad>": 0, "<s>": 1, "</s>": size - 1} | {f"w{number}": number for number in range(2, size - 1)}
    backend = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    tokenizer.padding_side = "right"
    return tokenizer


def allocator():
    """Which allocator stands in place of the C library's."""
    try:
        with open("/proc/self/maps") as maps:
            loaded = maps.read()
    except OSError:
        loaded = os.environ.get("LD_PRELOAD", "")
    return next((name for name in ("tcmalloc", "jemalloc", "mimalloc") if name in loaded), "system")


def build_trainer():
    """Policy with value head, frozen reference, PPO."""
    torch.manual_seed(start["seed"])
    family = {"t5": T5Config, "bart": BartConfig, "pegasus": PegasusConfig}[start["family"]]
    dropout = {"dropout_rate": 0.0} if start["family"] == "t5" else {"dropout": 0.0}
    config = family(**(start["config"] | dropout))
    with torch.no_grad():
        base = AutoModelForSeq2SeqLM.from_config(config)
        if not config.tie_word_embeddings:
            base.get_output_embeddings().weight *= config.d_model**-0.5
    base.generation_config = GenerationConfig.from_model_config(config)
    model = AutoModelForSeq2SeqLMWithValueHead.from_pretrained(base)
    rows = start["documents"] * start["samples"]
    accelerator = {"mixed_precision": "bf16" if start["dtype"] == "bfloat16" else "no"}
    if start["device"] == "cpu":
        accelerator["cpu"] = True
    settings = PPOConfig(
        batch_size=rows,
        mini_batch_size=start["mini_batch"],
        gradient_accumulation_steps=rows // start["mini_batch"],
        ppo_epochs=1,
        learning_rate=5e-6,
        seed=start["seed"],
        accelerator_kwargs=accelerator,
    )
    return PPOTrainer(settings, model, create_reference_model(model), build_tokenizer(config))


def step(trainer, lengths, number):
    """Generate and one PPO step, as its user would write it; returns the useful tokens."""
    limit, eos_id = start["summary_tokens"], start["config"]["eos_token_id"]
    with torch.autocast(start["device"], torch.bfloat16, enabled=start["dtype"] == "bfloat16"):
        responses = trainer.generate(
            queries,
            batch_size=len(queries),
            return_prompt=False,
            do_sample=True,
            top_k=0,
            top_p=1.0,
            max_new_tokens=limit,
            eos_token_id=eos_id,
            pad_token_id=0,
            logits_processor=LogitsProcessorList([PlannedEnds(lengths, limit, eos_id)]),
        )
    trainer.step(queries, responses, scores)
    return [len(response) - 1 for response in responses]  # without the decoder start


def held_bytes():
    """Bytes that this process holds now; where the system does not tell, the most that it held."""
    if start["device"] == "cuda":
        return torch.cuda.memory_allocated()
    try:
        with open("/proc/self/statm") as pages:
            return int(pages.read().split()[1]) * resource.getpagesize()
    except OSError:
        return most_bytes()


def most_bytes():
    """Most that this process held so far: on the GPU, else resident."""
    if start["device"] == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


libraries = held_bytes()
trainer = build_trainer()
trained, frozen = [
    sum(weight.numel() * weight.element_size() for weight in model.parameters())
    for model in (trainer.model, trainer.ref_model)
]
device = trainer.accelerator.device
generator = torch.Generator().manual_seed(start["seed"])
shape = start["documents"], start["document_tokens"]
documents = torch.randint(2, start["config"]["vocab_size"] - 1, shape, generator=generator).to(device)
queries = [document for document in documents for _ in range(start["samples"])]
told = {
    "program": f"TRL {trl.__version__} PPO, transformers {transformers.__version__}",
    "torch": torch.__version__,
    "threads": torch.get_num_threads(),
    "allocator": allocator(),
    "device": device.type,
    "fixed_bytes": libraries + 3 * trained + frozen,
}
print(json.dumps(told), file=talk)
for number, line in enumerate(sys.stdin):
    lengths = json.loads(line)["lengths"]
    scores = list(torch.randn(len(queries), generator=generator).to(device))
    if device.type == "cuda":
        torch.cuda.synchronize()
    before = time.perf_counter()
    found = step(trainer, lengths, number)
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - before
    answer = {"seconds": seconds, "tokens": sum(found), "peak_bytes": most_bytes()}
    if found != lengths:
        answer["error"] = f"wrote summaries of {found} tokens, {lengths} were planned"
    print(json.dumps(answer), file=talk)
