"""How a run came by fewer flags: by fewer faults, or by shorter, more copied, vaguer summaries and by evasion."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lastmile import __version__
from lastmile.compare.runs import corpus_of, decoded_file, judge_for, read_decoded
from lastmile.compare.significance import holm, interval, resample, samples_for, two_sided_p
from lastmile.compare.witness import (
    DOUBT,
    FALSE,
    OTHER_WITNESSES,
    UNSUPPORTED,
    ModelWitness,
    describe,
    model_witness,
    witness_of,
)
from lastmile.corpus.files import Problem, read_rows
from lastmile.errors import InputError
from lastmile.judge.consistency import judge_consistency
from lastmile.judge.document import Text, read_document
from lastmile.judge.judge import Judge
from lastmile.judge.measure import Statistic, measure
from lastmile.judge.names import name_places
from lastmile.records import Corpus, Example, Flag, Summary
from lastmile.train.run import RunFolder

STAGE = "policy_gradient"
TOTAL, NAMES, NUMBERS = "total", "names", "numbers"
SHOWN = ("words", "copied_trigrams", "coverage", "density", NAMES, NUMBERS, "repeated_trigrams", "flag_rate", "rougeL")
# A flag that goes takes its words along, and what is left is copied to a larger share. So all three are counted outside
# of the flag's own spans: they move only if the summary changes in more than what was at fault.
TRICKS = {"shorter": ("words", -1), "copied more": ("copied_trigrams", 1), "vaguer": ("names_and_numbers", -1)}
LIKED_SHARE = 1 / 3
FEWEST = 5  # documents a flag must have left before anything is said of how
MOST_SUSPICIOUS = 10


@dataclass(frozen=True, slots=True)
class Pair:
    """Summaries of the same documents, before and after.

    Attributes:
        name: Which two.
        examples: N documents.
        early: A summary of each.
        late: Another of each.
    """

    name: str
    examples: Sequence[Example]
    early: Sequence[Summary]
    late: Sequence[Summary]


def audit_run(
    path: Path,
    bootstrap_samples: int = 2000,
    seed: int = 1,
    say: Callable[[str], None] = lambda text: None,
    detector: Path | None = None,
    semantic: str | None = None,
    nli: str | None = None,
) -> dict[str, Any]:
    """Hold late summaries against early ones, and what the flags say against a witness that training did not hear.

    Two pairs are looked at: the first validation of the policy-gradient stage against the last, from `samples.jsonl`;
    and the likelihood model against the best checkpoint on the test documents, where `compare` decoded them. A
    `detector` (a folder of `lastmile flag train`) is the witness instead, unless training used that very one.

    Args:
        path: The run.
        bootstrap_samples: Resamples.
        seed: Of the resamples.
        say: Told what is looked at.
        semantic: An encoder, by name or path, whose doubt is the witness.
        nli: A classifier for natural language inference, instead.

    Returns:
        Plain data: `run`, `witness`, `pairs` (`measures`, `flags` and `suspicious` each) and `signature`.

    Raises:
        InputError: If there is no such run, it has no two validations to compare, its data are gone or changed, or the
            witness cannot be loaded or was trained on.
    """
    run = RunFolder.open(path)
    recipe = run.recipe
    model = model_witness(run, detector, semantic, nli)
    sampled = _sampled(run)
    corpus = corpus_of(run)
    pairs = [_sampled_pair(sampled, corpus, run)]
    decoded = _decoded_pair(run, corpus)
    if decoded is None:
        command = f"`lastmile compare {run.path}`"
        say(f"{run.path} has no test summaries of both checkpoints: {command} adds them to the audit")
    else:
        pairs.append(decoded)
    witness = model.name if model else witness_of(recipe, has_facts=bool(pairs[0].examples[0].facts))
    judge = judge_for(run)
    found = []
    for pair in pairs:
        say(f"{pair.name}: {len(pair.examples)} documents")
        found.append(_audit(pair, judge, witness, model, bootstrap_samples, seed))
    return {
        "run": str(path),
        "witness": {"name": witness, "is": model.means if model else describe(witness)},
        "priced": {name: coefficient for name, coefficient in judge.penalties.items() if coefficient},
        "pairs": found,
        "signature": {
            "lastmile": __version__,
            "data": corpus.fingerprint,
            "intervals": "bootstrap over documents, 95 % percentile, paired",
            "p": "two-sided; Holm over the measures of a pair",
            "liked": "the third of the documents whose total rose most, chosen after the fact",
            "bootstrap_seed": seed,
        },
    }


def _sampled(run: RunFolder) -> dict[int, dict[str, Summary]]:
    """Step to document id to validation summary."""
    file = run.path / "samples.jsonl"
    if not file.is_file():
        raise InputError(f"`{run.path}` has no samples.jsonl: it has not come to its first validation")
    steps: dict[int, dict[str, Summary]] = {}
    for row in read_rows(file):
        if isinstance(row, Problem):
            raise InputError(f"{run.path}/{row}")
        if row.fields.get("stage") == STAGE:
            summary = Summary(row.fields["summary"], row.fields.get("ended") is not False)
            steps.setdefault(row.fields["step"], {})[row.fields["id"]] = summary
    if len(steps) < 2:
        raise InputError(
            f"{file}: an audit needs summaries of two policy-gradient validations, an early and a late one; "
            f"got {len(steps)}"
        )
    return steps


def _sampled_pair(steps: Mapping[int, Mapping[str, Summary]], corpus: Corpus, run: RunFolder) -> Pair:
    first, last = min(steps), max(steps)
    shared = set(steps[first]) & set(steps[last])
    examples = [example for example in corpus.validation if example.id in shared]
    if not examples:
        raise InputError(f"{run.path}/samples.jsonl: none of its documents is a validation document of `{corpus.name}`")
    early, late = ([steps[step][example.id] for example in examples] for step in (first, last))
    return Pair(f"step {first} → step {last}, validation documents", examples, early, late)


def _decoded_pair(run: RunFolder, corpus: Corpus) -> Pair | None:
    weights, decoding = run.manifest.get("weights", {}), run.recipe.compare.decoding
    if not {"baseline", "best"} <= set(weights):
        return None
    files = [decoded_file(run, weights[name], decoding) for name in ("baseline", "best")]
    if not all(file.exists() for file in files):
        return None
    early, late = ([group[0] for group in read_decoded(file)] for file in files)
    examples = [corpus.test[i] for i in range(len(corpus.test))]
    return Pair("likelihood → best checkpoint, test documents", examples, early, late)


def _audit(
    pair: Pair, judge: Judge, witness: str | None, model: ModelWitness | None, bootstrap_samples: int, seed: int
) -> dict[str, Any]:
    early, late = _statistics(pair, judge, witness, model)
    names = [name for name in early if name in late]
    rewards = [name for name in names if name.startswith("reward/")]
    shown = [name for name in dict.fromkeys((TOTAL, *rewards, *SHOWN, witness)) if name in names]
    samples = samples_for(len(shown), bootstrap_samples)

    def differences(taken: Sequence[str], rows: np.ndarray) -> dict[str, dict[str, Any]]:
        return _differences({n: (_only(early[n], rows), _only(late[n], rows)) for n in taken}, samples, seed)

    everything = np.arange(len(pair.examples))
    gain = _rise(early[TOTAL], late[TOTAL])
    liked = np.argsort(-gain, kind="stable")[: max(1, round(len(gain) * LIKED_SHARE))]
    flags = [f"flag/{name}" for name, coefficient in judge.penalties.items() if coefficient]
    compared = differences([*shown, *(n for n in (*flags, *OTHER_WITNESSES.values()) if n in names)], everything)
    corrected = dict(zip(shown, holm([compared[name]["p"] for name in shown]), strict=True))
    among = differences(shown, liked)
    return {
        "name": pair.name,
        "documents": len(pair.examples),
        "liked_documents": len(liked),
        "measures": [
            {"name": name, **compared[name], "p_holm": corrected[name], "liked": among[name]} for name in shown
        ],
        "flags": [
            _avoidance(flag.removeprefix("flag/"), judge, early, late, compared, witness, differences)
            for flag in flags
            if flag in compared
        ],
        "suspicious": _suspicious(pair, early, late, witness),
    }


def _statistics(
    pair: Pair, judge: Judge, witness: str | None, model: ModelWitness | None
) -> list[dict[str, Statistic]]:
    """Everything that is measured of the early and of the late summaries."""
    scores = judge(pair.examples, [list(both) for both in zip(pair.early, pair.late, strict=True)])
    profile = judge.profile
    found = []
    for side, summaries in enumerate((pair.early, pair.late)):
        measured = measure(pair.examples, summaries, profile, several="first", learned=judge.learned)
        statistics = dict(measured.statistics)
        texts = [Text(summary.text) for summary in summaries]
        named = [name_places(text, profile.cased, profile.names) for text in texts]
        names = np.array([len(places) for places in named], dtype=np.float64)
        numbers = np.array([len(text.numbers) for text in texts], dtype=np.float64)
        own = {TOTAL: scores.total[:, side], NAMES: names, NUMBERS: numbers}
        own |= {f"reward/{name}": values[:, side] for name, values in scores.rewards.items()}
        if witness == DOUBT:
            judged = (
                judge_consistency(example.document, summary.text, cased=profile.cased)
                for example, summary in zip(pair.examples, summaries, strict=True)
            )
            own[DOUBT] = np.array([1 - one.probability for one in judged])
        if model is not None:
            own[model.name] = model.doubts(
                [(example.document, summary.text) for example, summary in zip(pair.examples, summaries, strict=True)]
            )
        statistics |= _spared(pair.examples, texts, named, [row[side] for row in scores.flags], judge.penalties)
        for name, values in own.items():
            known = np.isfinite(values)
            statistics[name] = Statistic(np.where(known, values, 0.0), known.astype(np.float64))
        found.append(statistics)
    return found


def _spared(
    examples: Sequence[Example],
    texts: Sequence[Text],
    named: Sequence[Collection[int]],
    flags: Sequence[Sequence[Flag]],
    names: Iterable[str],
) -> dict[str, Statistic]:
    """`words outside copy` and the like: the measures of `TRICKS` for what none of a flag's spans covers."""
    known = [set(_trigrams(read_document(example.document).lower)) for example in examples]
    found = {}
    for name in names:
        rows = []
        for text, places, there, raised in zip(texts, named, known, flags, strict=True):
            spans = [(flag.start, flag.end) for flag in raised if flag.name == name]
            free = [not any(s < word.end and word.start < e for s, e in spans) for word in text.words]
            trigrams = [gram for at, gram in enumerate(_trigrams(text.lower)) if all(free[at : at + 3])]
            told = sum(free[place] for place in places) + sum(free[number.first] for number in text.numbers)
            rows.append((sum(free), told, sum(gram in there for gram in trigrams), len(trigrams)))
        words, told, copied, trigrams = np.array(rows, dtype=np.float64).T
        found[f"words outside {name}"] = Statistic(words, np.ones(len(rows)))
        found[f"names_and_numbers outside {name}"] = Statistic(told, np.ones(len(rows)))
        found[f"copied_trigrams outside {name}"] = Statistic(copied, trigrams)
    return found


def _trigrams(words: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(words, words[1:], words[2:], strict=False))


def _only(statistic: Statistic, rows: np.ndarray) -> Statistic:
    return Statistic(statistic.numerator[rows], statistic.denominator[rows])


def _rise(early: Statistic, late: Statistic) -> np.ndarray:
    """`(N,)` by how much each document's value rose; 0 where either side could not be scored."""
    known = (early.denominator > 0) & (late.denominator > 0)
    return np.where(known, late.numerator - early.numerator, 0.0)


def _differences(
    taken: Mapping[str, tuple[Statistic, Statistic]], samples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Early, late, and late − early on the same resampled documents; None where nothing could be measured."""
    drawn = resample([side for both in taken.values() for side in both], samples, seed)
    found = {}
    for column, (name, both) in enumerate(taken.items()):
        sides = drawn[:, 2 * column : 2 * column + 2]
        moved = sides[:, 1] - sides[:, 0]
        if np.isnan(moved).all():
            found[name] = {"early": None, "late": None, "delta": None, "low": None, "high": None, "p": 1.0}
            continue
        low, high = interval(moved)
        early, late = (side.value for side in both)
        found[name] = {"early": early, "late": late, "delta": late - early, "low": low, "high": high}
        found[name]["p"] = two_sided_p(moved)
    return found


def _avoidance(
    flag: str,
    judge: Judge,
    early: Mapping[str, Statistic],
    late: Mapping[str, Statistic],
    compared: Mapping[str, Mapping[str, Any]],
    witness: str | None,
    differences: Callable[[Sequence[str], np.ndarray], dict[str, dict[str, Any]]],
) -> dict[str, Any]:
    """How the documents that lost a flag lost it, and whether the witness followed."""
    before, after = (side[f"flag/{flag}"].numerator > 0 for side in (early, late))
    gone, come = np.flatnonzero(before & ~after), int((after & ~before).sum())
    heard = witness if flag in (*UNSUPPORTED, *FALSE) else OTHER_WITNESSES.get(flag)
    tricks = {name: f"{name} outside {flag}" for name, _ in TRICKS.values()}
    moved = differences(list(tricks.values()), gone) if len(gone) >= FEWEST else {}
    there = {name: moved[key] for name, key in tricks.items() if key in moved}
    told = compared.get(heard) if heard else None
    return {
        "flag": flag,
        "coefficient": judge.penalties[flag],
        **compared[f"flag/{flag}"],
        "gone": len(gone),
        "come": come,
        "where_gone": there,
        "witness": heard,
        "witness_moved": told,
        "how": how_avoided(compared[f"flag/{flag}"], there, told),
    }


def how_avoided(
    rate: Mapping[str, Any], there: Mapping[str, Mapping[str, Any]], told: Mapping[str, Any] | None
) -> list[str]:
    """Words for the way in which a flag became rarer.

    Args:
        rate: Its share of summaries: `high` is the upper end of the interval of late − early.
        there: What changed on the documents that lost it: trick's measure to `low` and `high`.
        told: How the witness moved over all documents; None where the flag has none.

    Returns:
        `not rarer` unless the whole interval is below 0; else every trick whose interval is on its side of 0, and
        `evaded` if the witness' is not below 0. If there is nothing of this, `mended` where there is a witness to say
        so and `no trick seen` where there is none; `too few to tell how` of documents that lost it.
    """
    if rate["high"] is None or rate["high"] >= 0:
        return ["not rarer"]
    how = [
        word
        for word, (name, sign) in TRICKS.items()
        if name in there and there[name]["low"] is not None
        and (there[name]["low"] > 0 if sign > 0 else there[name]["high"] < 0)
    ]  # fmt: skip
    if told is not None and told["high"] is not None and told["high"] >= 0:
        how.append("evaded")
    if how or not there:
        return how or ["too few to tell how"]
    return ["no trick seen" if told is None else "mended"]


def _suspicious(
    pair: Pair, early: Mapping[str, Statistic], late: Mapping[str, Statistic], witness: str | None
) -> list[dict[str, Any]]:
    """Documents whose total rose while the witness complains more than before: what training should not have liked.

    Ranked by Δtotal / sd(Δtotal) + Δwitness / sd(Δwitness), so neither drowns the other.
    """
    gain = _rise(early[TOTAL], late[TOTAL])
    worse = _rise(early[witness], late[witness]) if witness in late else np.zeros(len(gain))
    score = _scaled(gain) + _scaled(worse)
    order = [int(i) for i in np.argsort(-score, kind="stable") if gain[i] > 0 and (worse[i] > 0 or witness not in late)]
    signs = {"shorter": (["words"], -1), "copied more": (["copied_trigrams"], 1), "vaguer": ([NAMES, NUMBERS], -1)}
    rows = []
    for i in order[:MOST_SUSPICIOUS]:
        example, both = pair.examples[i], (early, late)
        flags = [{name for name in side if name.startswith("flag/") and side[name].numerator[i] > 0} for side in both]
        rows.append(
            {
                "id": example.id,
                "early": pair.early[i].text,
                "late": pair.late[i].text,
                "total": [float(side[TOTAL].numerator[i]) for side in both],
                "witness": [float(side[witness].numerator[i]) for side in both] if witness in late else None,
                "flags_gone": sorted(name.removeprefix("flag/") for name in flags[0] - flags[1]),
                "signs": [
                    word
                    for word, (names, sign) in signs.items()
                    if sign * sum(_at(late[name], i) - _at(early[name], i) for name in names) > 0
                ],
                "document": example.document,
            }
        )
    return rows


def _at(statistic: Statistic, i: int) -> float:
    return float(statistic.numerator[i] / statistic.denominator[i]) if statistic.denominator[i] else 0.0


def _scaled(values: np.ndarray) -> np.ndarray:
    spread = values.std()
    return values / spread if spread > 0 else values
