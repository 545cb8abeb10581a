"""Images that jobs run in, as far as a Dockerfile tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_errors import said

JOB = "spec: {images: [{name: own, dockerfile: {}}], jobs: [{name: second, image: own, command: [run]}]}"


@pytest.mark.parametrize(
    ("dockerfile", "told"),
    [
        ("FROM debian:12\n", False),
        ("FROM scratch\n", True),
        ("FROM --platform=linux/amd64 python:3.12-alpine AS last\n", True),
        ("FROM python:3.12-alpine\nRUN apk add --no-cache coreutils\n", False),
        ("FROM alpine:3.20 AS build\nFROM debian:12\n", False),
        ("FROM gcr.io/distroless/cc AS base\nFROM golang:1 AS build\nfrom base\n", True),
    ],
)
def test_own_dockerfile_has_what_starts_a_job(dockerfile: str, told: bool, tmp_path: Path):
    """The last stage decides, through the stage that it starts from."""
    for name in ("app", "train", "own"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__main__.py").touch()
        (tmp_path / name / "requirements.txt").touch()
    (tmp_path / "own" / "Dockerfile").write_text(dockerfile)
    assert ("W358" in said(JOB, tmp_path)) == told
