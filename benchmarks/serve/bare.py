"""The limit: the model alone, fed with token ids by as many threads as there are cores.

python bare.py VERSION_FOLDER FILE SECONDS
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path


def main(version: Path, file: str, seconds: float) -> None:
    """Print requests, seconds and CPU seconds as JSON."""
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    manifest = json.loads((version / "manifest.json").read_text())
    tokenizer = Tokenizer.from_file(str(version / "tokenizer.json"))
    tokenizer.enable_truncation(manifest["maxTokens"])
    texts = [json.loads(line)["text"] for line in Path(os.environ["BODIES"]).read_text().splitlines()]
    arrays = [np.array([tokenizer.encode(text).ids or [0]]) for text in texts]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = options.enable_mem_reuse = False  # as ours: 0.7 % faster
    session = onnxruntime.InferenceSession(str(version / file), options, providers=["CPUExecutionProvider"])
    counts: list[int] = []

    def work(first: int) -> None:
        done, place = 0, first
        while time.perf_counter() < end:
            ids = arrays[place % len(arrays)]
            session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
            done, place = done + 1, place + 2
        counts.append(done)

    session.run(None, {"input_ids": arrays[0], "attention_mask": np.ones_like(arrays[0])})
    begun, cpu = time.perf_counter(), time.process_time()
    end = begun + seconds
    threads = [threading.Thread(target=work, args=(each,)) for each in range(len(os.sched_getaffinity(0)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - begun
    print(json.dumps({"requests": sum(counts), "seconds": taken, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
