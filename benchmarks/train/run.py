"""How good and how fast the trainer is on the real reviews.

    .venv/bin/python benchmarks/train/run.py accuracy bow          # also: lstm, transformer
    .venv/bin/python benchmarks/train/run.py check STORE/VERSION/  # a published version on all test reviews
    .venv/bin/python benchmarks/train/run.py throughput            # beside the plain Hugging Face Trainer

`accuracy` runs `python -m train` on the 25,000 training reviews and tests on the 25,000 others, then asks
the published ONNX files about all of them. Wall time and CPU time are those of the trainer's process, so that
a busy machine can be told from a slow trainer. `throughput` needs `pip install accelerate`. The reviews are
read from $IMDB_DATA, or from ../shared/imdb beside the checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))
DATA = Path(os.environ.get("IMDB_DATA", ROOT.parent / "shared" / "imdb"))
FILES = ("imdb_train.parquet", "imdb_test.parquet")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process and its children took, in seconds."""

    wall: float
    cpu: float


def accuracy(
    architecture: str, options: list[str], output: str | None, counts: tuple[int | None, int | None]
) -> None:
    """Train, publish, and check the published files on all test reviews, or on `counts` of each split."""
    with tempfile.TemporaryDirectory() as folder:
        data, work = Path(folder, "data"), Path(folder, "work")
        data.mkdir()
        for name, count in zip(FILES, counts, strict=True):
            _reviews(DATA / name, data / name, count)
        store = output or f"{folder}/models/"
        cost = _train(
            f"--architecture={architecture}",
            f"--data={data}",
            f"--output={store}",
            f"--work={work}",
            *options,
        )
        metrics = json.loads((work / "exported" / "metrics.json").read_text())
        published = _published(work)
    names = ("accuracy", "f1", "rocAuc", "loss", "calibrationError")
    print(json.dumps({"architecture": architecture, **{name: round(metrics[name], 4) for name in names}}))
    print(json.dumps({"wall seconds": round(cost.wall, 1), "CPU seconds": round(cost.cpu, 1)}))
    print(json.dumps(published))


def _reviews(source: Path, target: Path, count: int | None) -> None:
    """All reviews of a file, or `count` of them taken at random, the same each time."""
    import numpy as np
    import pyarrow.parquet as pq

    if count is None:
        target.symlink_to(source)
        return
    table = pq.read_table(source)
    pq.write_table(table.take(np.random.default_rng(0).permutation(len(table))[:count]), target)


def _train(*options: str) -> Cost:
    """Run the trainer; its own words go to standard error."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-m", "train", *options]
    stages = ("fetch", "prepare", "fit", "evaluate", "export", "publish")
    subprocess.run([*command, *stages], cwd=ROOT, check=True, stdout=sys.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.monotonic() - started, cpu)


def _published(work: Path) -> dict[str, float]:
    """What the ONNX files say about every test review, beside the trained model."""
    import numpy as np

    from train import export
    from train.evaluate import predict
    from train.prepare import load_prepared

    test = load_prepared(work / "prepared").test
    trained = np.load(work / "evaluated" / "logits.npy").argmax(1)
    found: dict[str, float] = {"reviews": len(test)}
    fp32 = predict(export.session(work / "exported" / "model.onnx"), test, "fp32").argmax(1)
    found["fp32 same labels"] = float((fp32 == trained).mean())
    found["fp32 accuracy"] = float((fp32 == test.labels).mean())
    int8 = work / "exported" / "model.int8.onnx"
    if int8.exists():
        labels = predict(export.session(int8), test, "int8").argmax(1)
        found["int8 accuracy"] = float((labels == test.labels).mean())
        found["int8 loss"] = found["fp32 accuracy"] - found["int8 accuracy"]
    return found


def check(version: Path) -> None:
    """Ask a published version's ONNX files, and its weights in the framework, about every test review."""
    import pyarrow.parquet as pq
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    from train import architectures, export
    from train.architectures.base import Fitted
    from train.evaluate import predict
    from train.settings import hyperparameters
    from train.tokens import encode

    manifest = json.loads((version / "manifest.json").read_text())
    settings = hyperparameters({"architecture": manifest["architecture"]}, {})
    rows = pq.read_table(DATA / FILES[1])
    tokenizer = Tokenizer.from_file(str(version / "tokenizer.json"))
    test = encode(tokenizer, rows.column("text").to_pylist(), rows.column("label").to_pylist(), "test")
    weights = load_file(version / "model.safetensors")
    fitted = Fitted(weights, json.loads((version / "model.json").read_text()))
    predictor = architectures.load(manifest["architecture"]).predictor(fitted, settings)
    answers = {"trained": predict(predictor, test, "trained").argmax(1)}
    for key in ("onnx", "onnxInt8"):
        if name := manifest["runtime"].get(key):
            answers[key] = predict(export.session(version / name), test, key).argmax(1)
    for name, labels in answers.items():
        same = (labels == answers["trained"]).mean()
        print(f"{name:10} accuracy {(labels == test.labels).mean():.5f}  same labels {same:.5f}", flush=True)


def throughput(reviews: int, rounds: int, precision: str) -> None:
    """Tokens a second, the same small BERT on the same reviews: the plain Trainer and ours take turns."""
    import numpy as np
    import pyarrow.parquet as pq
    import torch

    from train.architectures import transformer
    from train.settings import hyperparameters
    from train.tokens import encode

    rows = pq.read_table(DATA / FILES[0]).take(np.random.default_rng(0).permutation(25000)[:reviews])
    texts, labels = rows.column("text").to_pylist(), rows.column("label").to_pylist()
    settings = hyperparameters(
        {
            "architecture": "transformer", "model": "scratch", "layers": 4, "hidden": 256, "heads": 8,
            "vocabulary": 8000, "maxTokens": 256, "epochs": 1, "patience": 0, "validation": 0,
            "precision": precision,
        },
        {},
    )  # fmt: skip
    tokenizer = transformer.ARCHITECTURE.tokenizer(texts, settings)
    tokenizer.enable_truncation(settings.max_tokens)
    data = encode(tokenizer, texts, labels, "train")
    runs: dict[str, Callable[[], None]] = {
        "ours": lambda: _ours(data, tokenizer, settings),
        "Trainer": lambda: _trainer(data, tokenizer, settings, grouped=False),
        "Trainer, group_by_length": lambda: _trainer(data, tokenizer, settings, grouped=True),
    }
    speed: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            torch.manual_seed(0)
            wall, cpu = time.monotonic(), time.process_time()
            run()
            tokens = len(data.ids)
            speed[name].append((tokens / (time.monotonic() - wall), tokens / (time.process_time() - cpu)))
            print(name, *(round(each) for each in speed[name][-1]), file=sys.stderr, flush=True)
    for name, found in speed.items():
        wall, cpu = (sorted(column)[len(found) // 2] for column in zip(*found, strict=True))
        print(f"{name:26} {wall:8.0f} tokens/s {cpu:8.0f} tokens/CPU s")


def _ours(data: Any, tokenizer: Any, settings: Any) -> None:
    from train.architectures import transformer

    none = SimpleNamespace(load=lambda: None, save=lambda checkpoint: None, run="")
    context = SimpleNamespace(checkpoints=none, epoch_done=lambda epoch: None)
    empty = data.take([])
    transformer.ARCHITECTURE.fit(data, empty, tokenizer, settings, context)


def _trainer(data: Any, tokenizer: Any, settings: Any, *, grouped: bool) -> None:
    """As its documentation shows it: dynamic padding, AdamW, a linear schedule."""
    from transformers import DataCollatorWithPadding, PreTrainedTokenizerFast, Trainer, TrainingArguments

    from train.architectures import transformer

    rows = [{"input_ids": data.row(i).tolist(), "label": int(data.labels[i])} for i in range(len(data))]
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]")
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            num_train_epochs=1,
            warmup_steps=round(settings.warmup * len(rows) / settings.batch_size),
            bf16=settings.precision == "bf16",
            train_sampling_strategy="group_by_length" if grouped else "random",
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        collator = DataCollatorWithPadding(wrapped)
        model = transformer._model(tokenizer, settings)
        Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collator).train()


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="what", required=True)
    one = commands.add_parser("accuracy")
    one.add_argument("architecture", choices=("bow", "lstm", "transformer"))
    one.add_argument("--output", help="a model store to keep the version in")
    one.add_argument("--train-reviews", type=int, help="train on so many of them, taken at random")
    one.add_argument("--test-reviews", type=int, help="test on so many of them, taken at random")
    seen = commands.add_parser("check")
    seen.add_argument("version", type=Path)
    two = commands.add_parser("throughput")
    two.add_argument("--reviews", type=int, default=1000)
    two.add_argument("--rounds", type=int, default=3)
    two.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    given, rest = parser.parse_known_args()
    if given.what == "accuracy":
        counts = given.train_reviews, given.test_reviews
        accuracy(given.architecture, rest, given.output, counts)
    elif given.what == "check":
        check(given.version)
    else:
        throughput(given.reviews, given.rounds, given.precision)


if __name__ == "__main__":
    main()
