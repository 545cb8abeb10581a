"""A scikit-learn estimator as a file that can hold no code: skops, never a pickle."""

from __future__ import annotations

from typing import Any

import sklearn
import skops.io

from model.store import Unusable, Version

FILE = "model.skops"
LIBRARIES = {"scikit-learn": sklearn.__version__}
"""What the manifest says of the estimator: another version of the library may read another model in it."""

TRUSTED: list[str] = []
"""Types that you trust beside those of skops: forests, for one, hold `sklearn.tree._tree.Tree`."""


def to_bytes(estimator: Any) -> bytes:
    """The estimator as a file. Raises `Unusable` if the service would refuse it."""
    data = bytes(skops.io.dumps(estimator))
    _check(data, type(estimator).__name__)
    return data


def from_version(version: Version) -> Any:
    """The estimator of a published version. Raises `Unusable` if this program must not load it."""
    if (made := version.manifest.get("libraries")) != LIBRARIES:
        raise Unusable(f"{version.name} was made with {made}, and this program has {LIBRARIES}: train again")
    data = version.files[FILE]
    _check(data, version.name)
    return skops.io.loads(data, trusted=TRUSTED)


def _check(data: bytes, name: str) -> None:
    if foreign := sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED)):
        raise Unusable(f"{name} holds {', '.join(foreign)}: add it to TRUSTED if it is safe to load")
