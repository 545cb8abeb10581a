"""Train on every CSV with the columns `label` and `text` below RAW_URI, and publish below MODEL_URI."""

from __future__ import annotations

import csv
import hashlib
import io
import sys
import zlib
from collections.abc import Mapping
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline

from model import estimator, job, store

DEFAULTS = {"words": 2, "strength": 10.0}


def train(uri: str, parameters: Mapping[str, Any]) -> job.Trained:
    """Learn which words, and which pairs of them, speak for which label. Raises `Unfit`."""
    rows, digest = read_rows(uri)
    # A fifth of the texts is for measuring, chosen by content: the same ones whatever their order.
    learned = [(text, label) for text, label in rows if zlib.crc32(text.encode()) % 5]
    measured = [(text, label) for text, label in rows if not zlib.crc32(text.encode()) % 5]
    if len({label for _, label in learned}) < 2 or not measured:
        raise job.Unfit("there are too few texts: at least two labels to learn, and some to measure with")
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, parameters["words"]), sublinear_tf=True),
        LogisticRegression(C=parameters["strength"], max_iter=1000),
    )
    model.fit([text for text, _ in learned], [label for _, label in learned])
    right, said = [label for _, label in measured], model.predict([text for text, _ in measured])
    return job.Trained(
        files={estimator.FILE: estimator.to_bytes(model)},
        facts={
            "task": "text-classification",
            "architecture": "tf-idf of n-grams, logistic regression",
            "labels": model.classes_.tolist(),
            "libraries": estimator.LIBRARIES,
            "data": {"digest": digest, "train": len(learned), "test": len(measured)},
        },
        metrics={
            "accuracy": float(accuracy_score(right, said)),
            "f1": float(f1_score(right, said, average="macro")),
        },
    )


def read_rows(uri: str) -> tuple[list[tuple[str, str]], str]:
    """Texts with their labels, and the digest of the files that they come from. Raises `Unfit`."""
    rows: list[tuple[str, str]] = []
    digest = hashlib.sha256()
    for name in store.names(uri):
        if not name.endswith(".csv"):
            continue
        data = store.read(uri, name)
        digest.update(data)
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
        for row in reader:
            if not row.get("text") or not row.get("label"):
                raise job.Unfit(f"{uri}{name}:{reader.line_num}: a row needs a `text` and a `label`")
            rows.append((row["text"], row["label"]))
    if not rows:
        raise job.Unfit(f"{uri} has to hold CSV files with the columns `label` and `text`")
    return rows, f"sha256:{digest.hexdigest()}"


if __name__ == "__main__":
    sys.exit(job.run(DEFAULTS, train))
