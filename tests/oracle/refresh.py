"""Ask upstream's own code again what it says of the texts in the vector files.

``python -m tests.oracle.refresh`` rewrites the answers of ``yaml_vectors.jsonl`` and
``encryption/config_vectors.jsonl`` beside the tests that read them. Needs Go and its module proxy;
a text is added by a line with ``text`` (or ``base64``) alone.
"""

import base64
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
UNIT = HERE.parent / "unit" / "apiserver_shim"
YAML = UNIT / "yaml_vectors.jsonl"
CONFIGS = UNIT / "encryption" / "config_vectors.jsonl"

Vector = dict[str, Any]


def read(path: Path) -> list[Vector]:
    """Return the vectors of a file, one JSON object a line."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def data_of(vector: Vector) -> bytes:
    """Return the text that a vector is about."""
    if "text" in vector:
        return str(vector["text"]).encode()
    return base64.b64decode(vector["base64"])


def ask(oracle: Path, vectors: list[Vector], mode: str) -> Iterator[Vector]:
    """Yield upstream's answer to each vector."""
    questions = "".join(
        json.dumps({"text": base64.b64encode(data_of(vector)).decode(), "mode": mode}) + "\n"
        for vector in vectors
    )
    done = subprocess.run([oracle], input=questions, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        yield {key: answer[key] for key in ("json", "error") if key in answer}


def without_secrets(error: str | None) -> str | None:
    """Return upstream's words without the file's text and keys, which it prints here and there."""
    if error is None:
        return None
    text = re.sub(r"(Object '\w+' is missing in ').*'$", r"\1REDACTED'", error, flags=re.DOTALL)
    return re.sub(r'"Secret":"[^"]*"', '"Secret":"REDACTED"', text)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("main.go", "go.mod"):
            shutil.copy(HERE / name, folder)
        oracle = Path(folder) / "oracle"
        subprocess.run(["go", "mod", "tidy"], cwd=folder, check=True)
        subprocess.run(["go", "build", "-o", oracle, "."], cwd=folder, check=True)
        yamls = read(YAML)
        answers = zip(
            yamls, ask(oracle, yamls, "yaml"), ask(oracle, yamls, "yaml-strict"), strict=True
        )
        write(
            YAML,
            [
                _text(vector)
                | loose
                | ({} if "error" in loose else {"strict": strict.get("error")})
                for vector, loose, strict in answers
            ],
        )
        configs = read(CONFIGS)
        once, again = ask(oracle, configs, "config"), ask(oracle, configs, "config-reload")
        write(
            CONFIGS,
            [
                {
                    **_text(vector),
                    "error": without_secrets(first.get("error")),
                    "reload": without_secrets(second.get("error")),
                    "words": vector.get("words"),
                }
                for vector, first, second in zip(configs, once, again, strict=True)
            ],
        )


def write(path: Path, vectors: list[Vector]) -> None:
    """Write vectors, without what is None or, for ``reload``, says the same once more."""
    lines = []
    for vector in vectors:
        if vector.get("reload") == vector.get("error"):
            vector.pop("reload", None)
        lines.append(json.dumps({k: v for k, v in vector.items() if v is not None}) + "\n")
    path.write_text("".join(lines))


def _text(vector: Vector) -> Vector:
    return {key: vector[key] for key in ("text", "base64") if key in vector}


if __name__ == "__main__":
    main()
