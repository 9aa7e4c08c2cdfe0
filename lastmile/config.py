"""Every setting of every run as one frozen, validated tree. A recipe file is this tree as YAML; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lastmile.errors import InputError, did_you_mean

FlagName = Literal[
    "repetition",
    "unsupported_entity",
    "unsupported_number",
    "unsupported_word",
    "unrelated",
    "contradiction",
    "wrong_speaker",
    "garbled",
    "boilerplate",
    "copy",
    "unfinished",
    "empty",
    "length",
]
FLAG_NAMES: tuple[str, ...] = get_args(FlagName)

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A part of a recipe: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Data(Section):
    """Which documents and summaries, and how much of them the model may read."""

    name: str = Field(description="A known name, a hub id, a file or a folder; `name#500` takes a seeded subset.")
    config: str | None = None
    revision: str | None = None
    document_column: str | None = None
    summary_column: str | None = None
    shared_documents: Literal["refuse", "drop", "keep"] | None = Field(
        None, description="Documents in two splits; by default refused in files, dropped from data sets of the hub."
    )
    prefix: str = Field("", description="Put before every document, e.g. T5's `summarize: `.")
    max_document_tokens: Positive = 512
    max_summary_tokens: Positive = Field(128, description="Targets are cut here in the likelihood terms only.")


class SmallModel(Section):
    """A small T5 to build from nothing, with a tokenizer trained on the corpus."""

    vocabulary: Positive = 2048
    width: Positive = 192
    heads: Positive = 6
    encoder_layers: Positive = 3
    decoder_layers: Positive = 2
    dropout: Share = 0.0


class Model(Section):
    """The policy to start from: exactly one of a name and a small model to build."""

    name: str | None = Field(None, description="A hub name, a folder or a finished run.")
    revision: str | None = None
    build: SmallModel | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Model:
        if (self.name is None) == (self.build is None):
            raise ValueError("give exactly one of `name` and `build`")
        return self


class Likelihood(Section):
    """Stage 1: cross-entropy on the target. `epochs: 0` starts from a checkpoint that is tuned already."""

    epochs: NonNegative = 3
    documents_per_step: Positive = 16
    learning_rate: NonNegative = 5e-5
    weight_decay: NonNegative = 0.01
    label_smoothing: Share = 0.1
    warmup_share: Share = 0.1
    gradient_clip: NonNegative = 1.0
    validate_every: Positive = Field(500, description="Optimizer steps between two validations.")
    validation_documents: Positive = 500
    patience: Positive = Field(3, description="Validations without a better ROUGE before stopping.")


class Sampling(Section):
    """How summaries are drawn in a rollout. They are scored under exactly this distribution."""

    num_samples: Positive = Field(8, description="K, samples a document.")
    temperature: Annotated[float, Field(gt=0)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = Field(0, description="0 keeps the whole vocabulary.")
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_new_tokens: Positive = 64


class RougeReward(Section):
    """The mean of some ROUGE F1 scores against the best of the document's targets, in 0..1."""

    kind: Literal["rouge"]
    weight: float = 1.0
    reads_target: ClassVar[bool] = True
    types: tuple[Literal["rouge1", "rouge2", "rougeL", "rougeLsum"], ...] = ("rouge1", "rouge2", "rougeL")


class LengthReward(Section):
    """− | words − target's words | / target's words, at least −1; against the nearest of the targets."""

    kind: Literal["length"]
    weight: float = 1.0
    reads_target: ClassVar[bool] = True


class PythonReward(Section):
    """The user's own function `path: my_module:my_reward`, called with examples and their summaries."""

    kind: Literal["python"]
    path: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]
    weight: float = 1.0
    reads_target: bool = Field(True, description="False lets `compare` rerank with it: it never looks at the target.")


class ModelReward(Section):
    """What a model says of a summary and its document, in 0..1; it never looks at the target."""

    kind: str
    model: Annotated[str, Field(min_length=1, description="A hub name or a folder.")]
    revision: str | None = None
    weight: float = 1.0
    reads_target: ClassVar[bool] = False


class SemanticReward(ModelReward):
    """How near each word of the summary comes to a word of its document, as an encoder reads both."""

    kind: Literal["semantic"]


class NLIReward(ModelReward):
    """How far the document's sentences entail the summary's, as a classifier for natural language inference says."""

    kind: Literal["nli"]


REWARDS = {
    "rouge": RougeReward,
    "length": LengthReward,
    "python": PythonReward,
    "semantic": SemanticReward,
    "nli": NLIReward,
}
Reward = Annotated[RougeReward | LengthReward | PythonReward | SemanticReward | NLIReward, Field(discriminator="kind")]


class Detector(Section):
    """A learned detector that training charges for: the flag `learned`."""

    path: str = Field(description="A folder of `lastmile flag train`; the run keeps a copy.")
    coefficient: NonNegative = Field(1.0, description="What one unit of the flag's cost takes off the return.")


class KL(Section):
    """How far the policy may move from the likelihood model; k1 in nats a summary, taken off the return."""

    coefficient: NonNegative = 0.05
    controller: Literal["fixed", "adaptive"] = "fixed"
    target: Annotated[float, Field(gt=0)] = Field(6.0, description="Nats a summary that `adaptive` steers to.")
    horizon: Positive = Field(10_000, description="Summaries over which `adaptive` reacts.")


class Stop(Section):
    """When stage 2 ends before its steps do. Each rule says what it saw."""

    max_kl: Annotated[float, Field(gt=0)] = Field(60.0, description="Mean k3 of the samples, in nats a summary.")
    min_length_ratio: NonNegative = Field(0.5, description="Mean words of the summaries over those of the targets.")
    max_length_ratio: NonNegative = 2.0
    min_distinct: Share = Field(0.5, description="Share of validation documents whose greedy summary no other has.")
    patience: Positive = Field(4, description="Validations without a better held-out measure.")


class PolicyGradient(Section):
    """Stage 2: sample, judge, learn. `steps: 0` skips it."""

    method: Literal["rloo", "scst", "reinforce"] = "rloo"
    steps: Annotated[int, Field(ge=0)] = 500
    documents_per_step: Positive = Field(16, description="Documents in one optimizer step, over all devices.")
    learning_rate: NonNegative = 5e-6
    weight_decay: NonNegative = 0.0
    warmup_steps: Annotated[int, Field(ge=0)] = 10
    decay: Literal["constant", "linear"] = "linear"
    gradient_clip: NonNegative = 1.0
    mle_coefficient: NonNegative = 0.1
    kl: KL = KL()
    validate_every: Positive = 50
    validation_documents: Positive = 200
    select_by: dict[str, float] = Field(
        {"rougeL": 1.0, "flagged_words": -100.0},
        description="Metric to weight: the held-out measure that picks the best checkpoint.",
    )
    stop: Stop = Stop()


Engine = Literal["torch", "ctranslate2", "ctranslate2-int8"]


class Decoding(Section):
    """How a trained model writes when it is evaluated or put to work."""

    num_beams: Positive = 1
    max_new_tokens: Positive = 64
    min_new_tokens: Annotated[int, Field(ge=0)] = 0
    length_penalty: float = 1.0
    no_repeat_ngram_size: Annotated[int, Field(ge=0)] = 0
    batch_size: Positive = 32
    engine: Engine = Field("torch", description="What computes; CTranslate2 is an extra, converted at each start.")


class Compare(Section):
    """The report: decoding, the rival's post-processing, the significance of differences."""

    decoding: Decoding = Decoding()
    post_processing: tuple[
        Literal["whitespace", "unfinished", "duplicate_sentences", "repeated_ngrams", "length", "unsupported"], ...
    ] = ("whitespace", "unfinished", "duplicate_sentences", "repeated_ngrams", "length", "unsupported")
    max_words: Positive | None = Field(None, description="Longest, post-processed; default: as 97.5 % of the targets.")
    targets: Literal["best", "mean", "first"] = Field(
        "best", description="Which of several targets ROUGE is taken against: the best one, their mean, the first."
    )
    rerank_candidates: Annotated[int, Field(ge=0)] = Field(8, description="n of n-best reranking; 0 leaves it out.")
    bootstrap_samples: Positive = 2000


class Hardware(Section):
    """Handed to Lightning, but for the last two."""

    accelerator: str = "auto"
    devices: Positive | Literal["auto"] = "auto"
    strategy: str = "auto"
    precision: Literal["32-true", "bf16-mixed", "bf16-true", "16-mixed"] = "32-true"
    accumulate: Positive = Field(1, description="Micro-batches in one optimizer step; the step's result is the same.")
    judge_workers: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto", description="Processes that judge summaries beside a GPU at work; 0 judges in the training process."
    )
    cuda_graphs: bool = Field(False, description="Sample by replaying CUDA graphs; for NVIDIA GPUs.")


class Recipe(Section):
    """One complete run."""

    data: Data
    model: Model
    seed: int = 1
    likelihood: Likelihood = Likelihood()
    sampling: Sampling = Sampling()
    rewards: tuple[Reward, ...] = (RougeReward(kind="rouge"),)
    penalties: dict[FlagName, NonNegative] = Field(
        {
            "repetition": 0.5,
            "unsupported_entity": 0.5,
            "unsupported_number": 0.5,
            "unfinished": 0.5,
            "empty": 1.0,
            "length": 0.5,
        },
        description="Flag to coefficient: what one unit of the flag's cost takes off the return.",
    )
    detector: Detector | None = None
    policy_gradient: PolicyGradient = PolicyGradient()
    compare: Compare = Compare()
    hardware: Hardware = Hardware()

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        problems = []
        if self.policy_gradient.method == "rloo" and self.sampling.num_samples < 2:
            problems.append(
                f"`sampling.num_samples` must be at least 2 for `method: rloo`, got {self.sampling.num_samples}"
            )
        documents, parts = self.policy_gradient.documents_per_step, self.hardware.accumulate
        if documents % parts:
            problems.append(
                f"`policy_gradient.documents_per_step` must be a multiple of `hardware.accumulate`, "
                f"got {documents} and {parts}"
            )
        if problems:
            raise ValueError("\n".join(problems))
        return self


def load_recipe(path: Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe file and apply `section.key=value` overrides, values written as YAML.

    Raises:
        InputError: Listing every unknown key (with its nearest name), missing key and wrong value at once.
    """
    try:
        tree = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such recipe. `lastmile recipes ls` lists those that come with lastmile") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise InputError(f"{path}: a recipe is a mapping of sections, got {type(tree).__name__}")
    return parse_recipe(tree, overrides, where=str(path))


def parse_recipe(tree: dict[str, Any], overrides: Iterable[str] = (), where: str = "recipe") -> Recipe:
    """Validate a recipe given as plain data; see `load_recipe`."""
    tree = _with_overrides(tree, overrides)
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        raise InputError.of(f"{where}: {line}" for line in _explain(error)) from None


def dump_recipe(recipe: Recipe) -> str:
    """Write every setting, defaults included, as YAML that `load_recipe` reads back to an equal recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _with_overrides(tree: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    tree = yaml.safe_load(yaml.safe_dump(tree))
    problems = []
    for override in overrides:
        path, separator, text = override.partition("=")
        if not separator or not path:
            problems.append(f"`{override}`: an override is written `section.key=value`")
            continue
        node, keys = tree, path.split(".")
        for key in keys[:-1]:
            if not isinstance(node.get(key), dict):
                node[key] = {}
            node = node[key]
        try:
            value = yaml.safe_load(text)
            node[keys[-1]] = _number(value) if value == text else value  # what stands in quotes stays text
        except yaml.YAMLError:
            problems.append(f"`{override}`: the value is not readable as YAML")
    if problems:
        raise InputError.of(problems)
    return tree


def _number(value: Any) -> Any:
    """YAML 1.1 reads `1e-5` as text; people mean the number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _explain(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in _written(problem["loc"]))
        given = problem["input"]
        if problem["type"] == "extra_forbidden":
            nearest = did_you_mean(str(problem["loc"][-1]), _keys_beside(problem["loc"]))
            lines.append(f"`{where}`: unknown key.{nearest}")
        elif problem["type"] == "missing":
            lines.append(f"`{where}`: required, not given")
        elif problem["type"] == "value_error":
            lines += [f"{f'`{where}`: ' if where else ''}{line}" for line in str(problem["ctx"]["error"]).split("\n")]
        else:
            lines.append(f"`{where}`: {problem['msg'][0].lower()}{problem['msg'][1:]}, got `{given}`")
    return lines


def _written(location: tuple[Any, ...]) -> list[Any]:
    """The location as it stands in the file: without the `kind` that pydantic puts after a reward's place."""
    return [part for i, part in enumerate(location) if not (part in REWARDS and i and isinstance(location[i - 1], int))]


def _keys_beside(location: tuple[Any, ...]) -> list[str]:
    """The known keys of the section in which an unknown one stood."""
    section: Any = Recipe
    for part in location[:-1]:
        if part in REWARDS:
            section = REWARDS[part]
        elif isinstance(part, str) and hasattr(section, "model_fields") and part in section.model_fields:
            kinds = [section.model_fields[part].annotation, *get_args(section.model_fields[part].annotation)]
            section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)), None)
    return list(section.model_fields) if section is not None and hasattr(section, "model_fields") else []
