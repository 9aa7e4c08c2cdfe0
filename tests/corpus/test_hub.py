from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hub import Hub
from transformers import BartConfig, BartForConditionalGeneration

LOAD = """
import contextlib, io, json, sys
from lastmile.config import Data
from lastmile.corpus.sources import load_corpus
from lastmile.errors import LastmileError
for data in sys.argv[1:]:
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            corpus = load_corpus(Data(**json.loads(data)))
        except LastmileError as error:
            result = {"refused": str(error)}
        else:
            splits = {"train": corpus.train, "validation": corpus.validation, "test": corpus.test}
            result = {name: [[row.id, row.document, row.targets] for row in split] for name, split in splits.items()}
            result["fingerprint"] = corpus.fingerprint
    print(json.dumps(result | {"said": said.getvalue()}))
"""


def load(hub: Hub, home: Path, *wanted: str | dict[str, str], offline: bool = False) -> list[dict]:
    """`load_corpus` of each name or `Data` in a fresh process, since the HF libraries read their environment once."""
    environment = hub.environment(home, **({"HF_HUB_OFFLINE": "1"} if offline else {}))
    arguments = [json.dumps(data if isinstance(data, dict) else {"name": data}) for data in wanted]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *arguments], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def parquet(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture
def cnn_dm(tmp_path) -> Path:
    """A repository of the shape of the hub's CNN/DailyMail: several configurations, one Parquet file a split."""
    folder = tmp_path / "cnn_dailymail"
    configs = []
    for config in ("1.0.0", "3.0.0"):
        files = []
        for split, count in (("train", 12), ("validation", 3), ("test", 3)):
            rows = [
                {
                    "article": f"LONDON, England (CNN) -- {split} story {n} of {config}.",
                    "highlights": f"Story {n} .\nIt is of {split} .",
                    "id": f"{split}{n}",
                }
                for n in range(count)
            ]
            parquet(folder / config / f"{split}-00000-of-00001.parquet", rows)
            files.append(f"  - split: {split}\n    path: {config}/{split}-*")
        configs.append(f"- config_name: {config}\n  data_files:\n" + "\n".join(files))
    (folder / "README.md").write_text("---\nconfigs:\n" + "\n".join(configs) + "\n---\n# Articles\n")
    return folder


def test_a_named_set_comes_from_the_hub_once_and_from_the_cache_afterwards(hub, cnn_dm, tmp_path):
    hub.add("datasets", "abisee/cnn_dailymail", cnn_dm)
    as_it_is = {"name": "abisee/cnn_dailymail", "config": "3.0.0", "document_column": "article"}
    as_it_is |= {"summary_column": "highlights"}
    first, plain, wrong = load(hub, tmp_path, "cnn_dm", as_it_is, {"name": "cnn_dm", "config": "9"})
    assert plain["test"][1][1] == "LONDON, England (CNN) -- test story 1 of 3.0.0."
    assert wrong["refused"] == (
        "`abisee/cnn_dailymail`: not loadable from the hub: BuilderConfig '9' not found. Available: ['1.0.0', '3.0.0']."
    )
    assert [len(first[split]) for split in ("train", "validation", "test")] == [12, 3, 3]
    assert first["test"][1] == ["test1", "LONDON, England -- test story 1 of 3.0.0.", ["Story 1 .\nIt is of test ."]]
    assert any("/resolve/" in request and "3.0.0/train-" in request for request in hub.requests)
    assert not any("1.0.0/train-" in request for request in hub.requests)
    hub.stop()
    again, part, other = load(hub, tmp_path, "cnn_dm", "cnn_dm#2", {"name": "cnn_dm", "config": "1.0.0"}, offline=True)
    assert {**again, "said": ""} == {**first, "said": ""}
    assert len(part["train"]) == 2
    assert other["refused"].startswith("`abisee/cnn_dailymail` (1.0.0) is not in the cache and HF_HUB_OFFLINE is set.")
    (elsewhere,) = load(hub, tmp_path / "other", "cnn_dm", offline=True)
    assert elsewhere["refused"] == (
        "`abisee/cnn_dailymail` (3.0.0) is not in the cache and HF_HUB_OFFLINE is set. Load it once with a network, or "
        "copy the cache (HF_HOME, by default ~/.cache/huggingface) from a machine that has it and set HF_HUB_OFFLINE=1"
    )


def test_a_data_set_that_is_a_script_comes_from_the_conversion(hub, tmp_path):
    script, converted = tmp_path / "script", tmp_path / "converted"
    script.mkdir()
    (script / "reddit_tifu.py").write_text("raise SystemExit('code from the hub was run')")
    for config in ("long", "short"):
        rows = [{"documents": f"{config} story {n}", "title": "t", "tldr": f"{n}"} for n in range(40)]
        parquet(converted / config / "train" / "0000.parquet", rows)
    hub.add("datasets", "ctr4si/reddit_tifu", script)
    hub.add("datasets", "ctr4si/reddit_tifu", converted, revision="refs/convert/parquet")
    first, wrong = load(hub, tmp_path, "reddit_tifu", {"name": "reddit_tifu", "config": "longest"})
    assert [len(first[split]) for split in ("train", "validation", "test")] == [36, 2, 2]
    assert first["train"][0][1].startswith("long story")
    assert wrong["refused"] == (
        "`ctr4si/reddit_tifu`: not loadable from the hub: "
        "no configuration `longest` in its refs/convert/parquet branch."
    )
    hub.stop()
    assert load(hub, tmp_path, "reddit_tifu", offline=True)[0]["fingerprint"] == first["fingerprint"]


def test_any_hub_id_with_columns_and_revision(hub, tmp_path):
    for revision, count in (("main", 3), ("v2", 4)):
        folder = tmp_path / revision
        for split in ("train", "validation", "test"):
            rows = [{"body": f"{split} document {n}.", "gist": f"Gist {n}."} for n in range(count)]
            parquet(folder / "data" / f"{split}-00000-of-00001.parquet", rows)
        hub.add("datasets", "someone/notes", folder, revision)
    notes = {"name": "someone/notes", "document_column": "body", "summary_column": "gist"}
    latest, older, column, revision, nothing = load(
        hub,
        tmp_path,
        notes,
        {**notes, "revision": "v2"},
        {"name": "someone/notes", "document_column": "body"},
        {**notes, "revision": "v3"},
        "someone/nothing",
    )
    assert (len(latest["train"]), len(older["train"])) == (3, 4)
    assert column["refused"].splitlines()[0] == (
        "someone/notes train: no summary column recognised. Name it with `--summary-column`. "
        "Columns found: `body`, `gist`"
    )
    assert "Revision 'v3' doesn't exist for dataset 'someone/notes'" in revision["refused"]
    assert nothing["refused"] == (
        "`someone/nothing`: Dataset 'someone/nothing' doesn't exist on the Hub or cannot be accessed. "
        "A private or gated data set needs `hf auth login` first"
    )


def test_bad_rows_and_shared_documents_of_the_hub_are_left_out_and_told(hub, tmp_path):
    folder = tmp_path / "dialogsum"
    train = [{"id": f"t{n}", "dialogue": f"d{n}", "summary": "s"} for n in range(20)]
    train += [{"id": "e", "dialogue": " ", "summary": "s"}, {"id": "x", "dialogue": "shared", "summary": "s"}]
    test = [{"id": f"test_0_{n}", "dialogue": "shared", "summary": f"s{n}"} for n in (1, 2, 3)]
    parquet(folder / "train.parquet", train)
    parquet(folder / "validation.parquet", [{"id": "v", "dialogue": "v", "summary": "s"}])
    parquet(folder / "test.parquet", test)
    hub.add("datasets", "knkarthick/dialogsum", folder)
    (loaded,) = load(hub, tmp_path, "dialogsum")
    assert len(loaded["train"]) == 20
    assert loaded["test"] == [["test_0_1", "shared", ["s1", "s2", "s3"]]]
    assert loaded["said"].splitlines()[-2:] == [
        "dialogsum train: rows left out: 1 (first: train row 21: `dialogue` is empty)",
        "dialogsum: train and test share 1 document; rows left out of train: 1",
    ]


def test_a_model_comes_from_the_same_hub(hub, tmp_path):
    torch.manual_seed(0)
    sizes = dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim", "d_model", "max_position_embeddings"), 16)
    layers = dict.fromkeys(("encoder_layers", "decoder_layers"), 1)
    heads = dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2)
    model = BartForConditionalGeneration(BartConfig(vocab_size=40, **sizes, **layers, **heads)).eval()
    model.save_pretrained(tmp_path / "bart")
    hub.add("models", "tiny/bart", tmp_path / "bart")
    code = """
import torch
from transformers import AutoModelForSeq2SeqLM
model = AutoModelForSeq2SeqLM.from_pretrained("tiny/bart").eval()
print(model(torch.arange(6)[None]).logits.sum().item())
"""
    expected = model(torch.arange(6)[None]).logits.sum().item()
    for more in ({}, {"HF_HUB_OFFLINE": "1"}):
        environment = hub.environment(tmp_path, **more)
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert float(done.stdout) == pytest.approx(expected, abs=1e-5)
        if not more:
            hub.stop()
