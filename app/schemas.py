"""What goes in and out of the API: its shapes and limits, from which the OpenAPI document is made."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_CHARACTERS = 20_000
"""Characters of a text. The longest of 50,000 film reviews has 13,704."""

MAX_TEXTS = 64
"""Texts of one request."""

LOVED = "A wonderful film: I laughed all the way through, and cried at the end."
HATED = "Dull, predictable and far too long."

Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_CHARACTERS,
        pattern=r"\S",
        description="What is classified. Not blank; what is longer than the model reads is cut.",
        examples=[LOVED],
    ),
]
Share = Annotated[float, Field(ge=0, le=1)]


class Closed(BaseModel):
    """A request's body: strict, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OneText(Closed):
    """One text."""

    text: Text


class ManyTexts(Closed):
    """Several texts, answered in their order."""

    texts: Annotated[list[Text], Field(min_length=1, max_length=MAX_TEXTS, examples=[[LOVED, HATED]])]


class Prediction(BaseModel):
    """What the model says of a text."""

    label: Annotated[str, Field(description="The most likely label.", examples=["positive"])]
    labels: Annotated[
        list[str],
        Field(
            description="The labels that the text gets: one; or, where labels do not exclude each other, "
            "all whose probability is 0.5 or more.",
            examples=[["positive"]],
        ),
    ]
    probability: Annotated[Share, Field(description="The probability of `label`.", examples=[0.9731])]
    probabilities: Annotated[
        dict[str, Share],
        Field(
            description="The probability of each label; together they are 1 where labels exclude each other.",
            examples=[{"negative": 0.0269, "positive": 0.9731}],
        ),
    ]
    truncated: Annotated[
        bool, Field(description="Whether the text is longer than the model reads, and its end not read.")
    ]
    unknown: Annotated[
        Share, Field(description="The share of the text's words or pieces that the model does not know.")
    ]


class OneVerdict(Prediction):
    """What the model says of the text."""

    model: Annotated[
        str, Field(description="The version that answered.", examples=["20261123T081500Z-1a2b3c4d"])
    ]


class ManyVerdicts(BaseModel):
    """What the model says of each text."""

    predictions: list[Prediction]
    model: Annotated[
        str, Field(description="The version that answered.", examples=["20261123T081500Z-1a2b3c4d"])
    ]


class Word(BaseModel):
    """A piece of the text."""

    text: str
    weight: Annotated[
        float, Field(description="How much more likely, in log-odds, the label is with this piece.")
    ]


class Explanation(OneVerdict):
    """What the model says of the text, and which words mattered; their texts join to the whole."""

    words: list[Word]


class Status(BaseModel):
    """The state of the process."""

    status: Annotated[str, Field(examples=["ok"])]


class Ready(Status):
    """A model answers."""

    model: Annotated[str, Field(examples=["20261123T081500Z-1a2b3c4d"])]


class ModelFailure(BaseModel):
    """Why the wanted version does not answer."""

    version: str | None
    reason: str


class ModelFacts(BaseModel):
    """The model in use."""

    name: str
    version: str
    created_at: Annotated[str | None, Field(serialization_alias="createdAt")]
    architecture: str | None
    labels: list[str]
    max_tokens: Annotated[int, Field(serialization_alias="maxTokens")]
    precision: str
    metrics: dict[str, object]
    made_up: Annotated[
        bool,
        Field(
            serialization_alias="madeUp",
            description="Whether it learnt from made-up data, to show how it works.",
        ),
    ]
    failure: ModelFailure | None


class ProblemDetail(BaseModel):
    """One thing that is wrong with the body."""

    pointer: Annotated[
        str, Field(description="Where, as a JSON Pointer in a URI's fragment.", examples=["#/texts/3"])
    ]
    detail: Annotated[str, Field(examples=["the text is blank"])]


class Problem(BaseModel):
    """Every answer that is no success, as RFC 9457 has it; `code`, `requestId` and `errors` are ours."""

    type: str
    title: Annotated[str, Field(description="The status in words.", examples=["Unprocessable Content"])]
    status: Annotated[int, Field(examples=[422])]
    detail: Annotated[str, Field(description="For people.", examples=["texts.3: the text is blank"])]
    code: Annotated[str, Field(description="For programs.", examples=["invalid"])]
    request_id: Annotated[str, Field(alias="requestId")]
    errors: list[ProblemDetail] | None = None
