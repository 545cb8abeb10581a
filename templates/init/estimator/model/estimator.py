"""A scikit-learn estimator as a file that can hold no code: skops, never a pickle."""

from __future__ import annotations

from typing import Any

import sklearn
import skops.io

from model.store import Unusable, Version

FILE = "model.skops"
LIBRARIES = {"scikit-learn": sklearn.__version__}
"""What the manifest says of the estimator: another version of the library may read another model in it."""


def to_bytes(estimator: Any) -> bytes:
    """The estimator as a file."""
    return bytes(skops.io.dumps(estimator))


def from_version(version: Version) -> Any:
    """The estimator of a published version. Raises `Unusable` if this program must not load it."""
    if (made := version.manifest.get("libraries")) != LIBRARIES:
        raise Unusable(f"{version.name} was made with {made}, and this program has {LIBRARIES}: train again")
    data = version.files[FILE]
    if foreign := skops.io.get_untrusted_types(data=data):
        raise Unusable(f"{version.name} holds {', '.join(foreign)}, which may not be safe to load")
    return skops.io.loads(data)
