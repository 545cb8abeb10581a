"""What a conversation must remember, in a token that only this service can write."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

LIFETIME = 3600
"""Seconds after which a conversation starts anew."""


def seal(misses: int, key: bytes) -> str:
    """A token that says how often in a row the customer was not understood."""
    text = base64.urlsafe_b64encode(json.dumps([misses, int(time.time())]).encode())
    return f"{text.decode()}.{_sign(text, key)}"


def unseal(token: str, key: bytes) -> int:
    """What `seal` was given; 0 if there is no token, or it is old, or not ours."""
    text, _, signature = token.partition(".")
    if not hmac.compare_digest(_sign(text.encode(), key).encode(), signature.encode()):
        return 0
    misses, at = json.loads(base64.urlsafe_b64decode(text))
    return int(misses) if time.time() - at < LIFETIME else 0


def _sign(text: bytes, key: bytes) -> str:
    return hmac.new(key, text, hashlib.sha256).hexdigest()
