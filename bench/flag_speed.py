"""How many summaries a second one core flags: CPU time, documents of about 200 words from the demo corpus.

    OMP_NUM_THREADS=1 python bench/flag_speed.py
    OMP_NUM_THREADS=1 python bench/flag_speed.py --semantic models/minilm-l6 --nli MODEL

Each document has eight summaries: its targets with three words exchanged for words of the document, so that none is
judged twice. The document is read once for all of them, as in a rollout. Models get the eight in one call, ten
documents of them; nothing is kept from one pass to the next.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

from lastmile.config import FLAG_NAMES
from lastmile.corpus.demo import demo_corpus
from lastmile.judge.consistency import judge_consistency
from lastmile.judge.flags import find_flags
from lastmile.judge.nli import Entailment, load_entailment
from lastmile.judge.profile import profile_targets
from lastmile.judge.redundancy import redundancy
from lastmile.judge.semantic import Semantic, load_semantic
from lastmile.records import Summary

LATER = ("unrelated", "contradiction", "wrong_speaker", "garbled", "boilerplate")


def pairs(examples, generator: random.Random) -> list[tuple[str, str]]:
    """Documents of about 200 words, joined from the corpus', with eight summaries each."""
    found = []
    for first in range(0, len(examples) - 4, 4):
        document = " ".join([example.document for example in examples[first : first + 4]])[:1250]
        choices = document.split()
        for k in range(8):
            said = examples[first].targets[k % 3].split()
            for _ in range(3):
                said[generator.randrange(len(said))] = generator.choice(choices)
            found.append((document, " ".join(said)))
    return found


def time_models(tried: list[tuple[str, str]], semantic: str | None, nli: str | None) -> None:
    """Print a line for each model."""
    fresh: dict[str, Callable[[], Semantic | Entailment]] = {}
    if semantic:
        encoder = load_semantic(semantic).encoder
        fresh["semantic support"] = lambda: Semantic(encoder)
    if nli:
        classifier = load_entailment(nli).model
        fresh["entailment"] = lambda: Entailment(classifier)
    print(f"{len(tried)} summaries; the second of two passes is timed")
    for name, make in fresh.items():
        for _ in range(2):
            judge, start = make(), time.process_time()
            for first in range(0, len(tried), 8):
                judge(tried[first : first + 8])
            spent = time.process_time() - start
        print(f"{name:32}{len(tried) / spent:8.1f} summaries/s")


def main() -> None:
    """Print one line for each kind of work."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--semantic", metavar="MODEL", help="an encoder: time semantic support by it instead")
    parser.add_argument("--nli", metavar="MODEL", help="a classifier: time entailment by it instead")
    arguments = parser.parse_args()
    examples = list(demo_corpus((8, 400, 8)).validation)
    profile = profile_targets(iter(examples), cased=True)
    tried = pairs(examples, random.Random(0))
    if arguments.semantic or arguments.nli:
        time_models(tried[:80], arguments.semantic, arguments.nli)
        return
    earlier = [name for name in FLAG_NAMES if name not in LATER]
    work: dict[str, Callable[[str, str], object]] = {
        "flags without the five newest": lambda d, s: find_flags(d, Summary(s), profile, earlier),
        "all flags": lambda d, s: find_flags(d, Summary(s), profile),
        "judge_consistency": judge_consistency,
        "redundancy": lambda d, s: redundancy(s),
    }
    words = sum(len(document.split()) for document, _ in tried) / len(tried)
    print(f"{len(tried)} summaries, documents of {words:.0f} words; the second of two passes is timed")
    for name, call in work.items():
        for _ in range(2):
            start = time.process_time()
            for document, summary in tried:
                call(document, summary)
            spent = time.process_time() - start
        print(f"{name:32}{len(tried) / spent:8.0f} summaries/s")


if __name__ == "__main__":
    main()
