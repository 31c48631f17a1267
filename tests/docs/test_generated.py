"""Pages that are made from the code are what the code says."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["reference.md", "coverage.md"])
def test_a_generated_page_is_current(page: str) -> None:
    made = _generator().PAGES[page]()
    assert (DOCS / page).read_text() == made, "run `python docs/generate.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    named = re.findall(
        r"`((?:sim|kms_emulator|apiserver_shim|alibaba_edge|alibaba_kms_plugin|kubernetes_kms|bounded_http|tests|docs|benchmarks)/[\w./]+)`",
        text,
    )
    missing = [target for target in targets if not (page.parent / target).exists()]
    missing += [path for path in named if not (ROOT / path).exists()]
    assert missing == []


def test_every_decision_names_what_holds_it() -> None:
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    assert decisions
    assert [page.name for page in decisions if "**Held by**" not in page.read_text()] == []


def test_every_command_in_the_readme_exists() -> None:
    reference = (DOCS / "reference.md").read_text()
    known = set(re.findall(r"### `acksim ([a-z -]+)`", reference))
    readme = (ROOT / "README.md").read_text()
    typed = re.findall(r"\./acksim ([a-z][a-z -]*[a-z])", readme)
    assert typed
    unknown = [
        words
        for words in typed
        if not any(words == command or words.startswith(f"{command} ") for command in known)
    ]
    assert unknown == []
