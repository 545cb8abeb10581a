"""Plain FastAPI."""

import os

import uvicorn
from answer import load
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
classify = load()


class Review(BaseModel):
    text: str


@app.post("/predict")
def predict(review: Review) -> dict:
    return classify(review.text)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False)
