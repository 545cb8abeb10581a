"""A data set of the Hugging Face hub, read as the files that it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from train.errors import Fault
from train.store import Entry


@dataclass(frozen=True, slots=True)
class Hub:
    """The files of `repository`, such as `stanfordnlp/imdb`, or `stanfordnlp/imdb@REVISION`."""

    uri: str
    repository: str

    def entries(self) -> tuple[Entry, ...]:
        from huggingface_hub import HfApi

        name, revision = self._at()
        with _asking(self.uri):
            found = HfApi().dataset_info(name, revision=revision, files_metadata=True)
        files = found.siblings or ()
        tag = str(found.sha)
        return tuple(
            sorted((Entry(each.rfilename, each.size or 0, tag) for each in files), key=lambda e: e.name)
        )

    def read(self, name: str) -> bytes | None:
        return self._download(name).read_bytes()

    def fetch(self, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._download(name), target)

    def write(self, name: str, content: bytes | Path) -> None:
        raise Fault(f"{self.uri} is read only", "publish to s3://BUCKET/PREFIX/ or a folder")

    def create(self, name: str, content: bytes | Path) -> None:
        self.write(name, content)

    def _download(self, name: str) -> Path:
        from huggingface_hub import hf_hub_download

        repository, revision = self._at()
        with _asking(self.uri):
            return Path(hf_hub_download(repository, name, repo_type="dataset", revision=revision))

    def _at(self) -> tuple[str, str | None]:
        name, _, revision = self.repository.partition("@")
        return name, revision or None


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Turn what the hub's client raises into a fault that names the data set."""
    from huggingface_hub.errors import HFValidationError

    try:
        yield
    except Exception as error:
        # The hub's client changed its HTTP library before; each has a base class of its own.
        network = type(error).__module__.split(".")[0] in {"httpx", "httpx2", "requests"}
        if not network and not isinstance(error, (OSError, HFValidationError)):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise Fault(
            f"the hub does not give {what}: {reason}",
            "see the name (hf:OWNER/DATASET) and the network, or give a local copy's path",
        ) from error
