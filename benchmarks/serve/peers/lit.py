"""LitServe."""

import os

import litserve
from answer import load


class Api(litserve.LitAPI):
    def setup(self, device):
        self.classify = load()

    def decode_request(self, request):
        return request["text"]

    def predict(self, text):
        return self.classify(text)

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", timeout=120)
    server.run(port=int(os.environ["PORT"]), host="127.0.0.1", generate_client_file=False, access_log=False)
