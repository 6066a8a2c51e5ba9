"""The house: its rooms, its names, its pictures and its sentences are what the documents say."""

import ast
import importlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import pytest

from retention_worker.domain.lane.lane import StopReason

ROOT = Path(__file__).parents[2]
PRODUCT = ROOT / "retention_worker"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
LAYERS = ("domain", "store", "service", "cli", "web")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
MOST_FILES = 25
# So begins a sentence that only makes sense after the one above it.
NO_BEGINNING = re.compile(r"(The same|One|Those|So many)\b")


def section(title: str) -> str:
    """The text of the architecture under one of its headings of the second level."""
    return ARCHITECTURE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def picture(title: str) -> str:
    """The Mermaid picture under a heading."""
    found = re.search(r"```mermaid\n(.*?)```", section(title), re.DOTALL)
    assert found is not None, title
    return found[1]


def rooms(layer: str) -> set[str]:
    """The packages of a layer."""
    return {path.parent.name for path in (PRODUCT / layer).glob("*/__init__.py")}


def contract(name: str) -> list[str]:
    """The steps of an import contract, from top to bottom, as they are written but for brackets."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    (found,) = [each["layers"] for each in contracts if each["id"] == name]
    return [re.sub(r"[()]", "", step) for step in found]


def names(step: str) -> list[str]:
    """The rooms on one step."""
    return re.split(r" [|:] ", step)


def labels(drawn: str) -> dict[str, str]:
    """What is written in the boxes of a flowchart, by their names in the picture."""
    return dict(re.findall(r'^\s*.*?\b(\w+)\["(.+?)"\]', split_arrows(drawn), re.MULTILINE))


def split_arrows(drawn: str) -> str:
    """The picture with both ends of each arrow on lines of their own."""
    return drawn.replace(" --> ", "\n")


def arrows(drawn: str) -> list[tuple[str, str]]:
    """The arrows of a flowchart, by the names of the boxes in the picture."""
    bare = re.sub(r'\[".+?"\]', "", drawn)
    return re.findall(r"^\s*(\w+) --> (\w+)$", bare, re.MULTILINE)


def layer_pictures() -> tuple[str, dict[str, str]]:
    """The picture of the layers, without and with what is inside of each."""
    drawn = picture("The layers and their rooms")
    inner = dict(re.findall(r'subgraph (\w+) \["\w+"\]\n(.*?)\n    end', drawn, re.DOTALL))
    return re.sub(r"    subgraph .*?\n    end\n", "", drawn, flags=re.DOTALL), inner


@pytest.mark.parametrize("layer", ["cli", "service", "store", "domain"])
def test_the_rooms_in_the_picture_are_those_of_the_contract(layer: str) -> None:
    """Boxes and arrows inside of a layer are the steps of its contract, in their order."""
    drawn = layer_pictures()[1][layer]
    boxes, steps = labels(drawn), contract(f"rooms-{layer}")
    assert list(boxes.values()) == steps
    assert [(boxes[a], boxes[b]) for a, b in arrows(drawn)] == list(pairwise(steps))


@pytest.mark.parametrize("layer", ["service", "store", "domain"])
def test_every_room_is_in_the_picture(layer: str) -> None:
    """Each package and each module of a layer is in its box, and nothing else is."""
    files = {path.stem for path in (PRODUCT / layer).glob("*.py")} - {"__init__"}
    drawn = [name for step in labels(layer_pictures()[1][layer]).values() for name in names(step)]
    assert sorted(drawn) == sorted(files | rooms(layer))


def test_the_layers_in_the_picture_are_those_of_the_contract() -> None:
    """Each arrow between layers leads from a step of the contract to the next, and none lacks."""
    drawn, inner = layer_pictures()
    boxes = labels(drawn) | {layer: layer for layer in inner}
    found = {pair for a, b in arrows(drawn) for pair in product(names(boxes[a]), names(boxes[b]))}
    steps = contract("layers")
    assert found == {
        pair for above, below in pairwise(steps) for pair in product(names(above), names(below))
    }
    assert {box for box in boxes.values() if " " in box} <= set(steps)


def test_every_room_has_a_heading() -> None:
    """A heading a room, the same for all layers, and under it the folders that are that room."""
    parts = re.split(r"^### (.+)$", section("The rooms"), flags=re.MULTILINE)[1:]
    described = dict(zip(parts[::2], parts[1::2], strict=True))
    assert len(parts) == 2 * len(described)
    assert described.keys() == {room for layer in LAYERS for room in rooms(layer)}
    for room, text in described.items():
        for layer in LAYERS:
            assert (f"`{layer}/{room}`" in text) == (room in rooms(layer)), (layer, room)


def test_every_stop_reason_is_in_the_picture_of_a_lane() -> None:
    """The states of a lane are its stop reasons, and four on the way to them."""
    drawn = picture("A lane")
    on_the_way = set(re.findall(r'state ".+" as (\w+)', drawn))
    reached = set(re.findall(r"--> (\w+)", drawn))
    assert reached - on_the_way == set(StopReason)


def test_every_table_is_in_the_picture_of_the_schema() -> None:
    """The entities are the tables that the migrations make, and each arrow is between two."""
    drawn = picture("The schema `retention`")
    entities = re.findall(r"^    (\w+) \{$", drawn, re.MULTILINE)
    made = [
        name
        for path in (PRODUCT / "store" / "migrations").glob("*.sql")
        for name in re.findall(r"^CREATE TABLE \{schema\}\.(\w+)", path.read_text(), re.MULTILINE)
    ]
    assert sorted(entities) == sorted(made)
    for a, b in re.findall(r"^    (\w+) \S+(?:--|\.\.)\S+ (\w+) :", drawn, re.MULTILINE):
        assert {a, b} <= set(entities), (a, b)


def code_names() -> Iterator[str]:
    """The names of code in the glossary."""
    for cell in re.findall(r"^\| .+ \| (`.+`) \|$", GLOSSARY, re.MULTILINE):
        yield from re.findall(r"`(.+?)`", cell)


@pytest.mark.parametrize("name", sorted(set(code_names())))
def test_every_name_of_the_glossary_is_there(name: str) -> None:
    """Each name of code is a module of the product, or something in one."""
    assert find(name) is not None


def find(name: str) -> object:
    """What has that name below `retention_worker`; AttributeError where nothing has."""
    found: object = importlib.import_module("retention_worker")
    path = "retention_worker"
    for part in name.split("."):
        path = f"{path}.{part}"
        if hasattr(found, "__path__") and not isinstance(getattr(found, part, None), type):
            found = importlib.import_module(path)
        else:
            found = getattr(found, part)
    return found


def test_every_word_has_one_meaning() -> None:
    """No word stands in the glossary twice."""
    words = re.findall(r"^\| ([^|`-]+?) \| ", GLOSSARY, re.MULTILINE)
    counted = Counter(word for word in words if word != "word")
    assert [word for word, times in counted.items() if times > 1] == []
    assert len(counted) > 50  # the table was found


@pytest.mark.parametrize("top", [PRODUCT, ROOT / "tests"], ids=["product", "tests"])
def test_no_folder_is_crowded(top: Path) -> None:
    """A folder can be read at a glance: it has no more than 25 files of its own."""
    files = Counter(
        str(path.parent.relative_to(ROOT))
        for path in top.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    assert {folder: n for folder, n in files.items() if n > MOST_FILES} == {}


def test_no_class_name_is_there_twice() -> None:
    """Who reads the name of a class knows which one it is."""
    where: dict[str, list[str]] = {}
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


def test_docstrings_can_be_understood_alone() -> None:
    """A docstring begins with what it is about, and not with a word for what stood elsewhere."""
    found = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}: {text.splitlines()[0]}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and NO_BEGINNING.match(text := ast.get_docstring(node) or "")
    ]
    assert found == []


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the product."""
    for path in sorted(PRODUCT.rglob("*.py")):
        yield path, ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link is a file, and what follows the # one of its headings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as hosts of repositories make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_are_there(page: Path) -> None:
    """A path of a source file is the whole one, or begins in the product or in the tests."""
    text = page.read_text("utf-8")
    for name in re.findall(r"`([\w.-]+/[\w./-]+\.(?:py|sql|md|html))`", text):
        bases = (ROOT, PRODUCT, ROOT / "tests")
        assert any((base / name).is_file() for base in bases), name


def test_readme_and_contributing_lead_to_both() -> None:
    """Who comes to the project finds the architecture and the glossary."""
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text("utf-8")
        assert "(docs/architecture.md)" in text, name
        assert "(docs/glossary.md)" in text, name


def test_contributing_has_the_tests_of_every_room() -> None:
    """Each room stands in the table with folders that are there, and each mirror of one too."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = text.split("| room | its tests |", 1)[1].split("\n\n", 1)[0]
    rows = re.findall(r"^\| ([\w, ]+) \| (.+) \|$", table, re.MULTILINE)
    assert sorted(room for row, _ in rows for room in row.split(", ")) == sorted(
        {room for layer in LAYERS for room in rooms(layer)}
    )
    listed = {folder for _, cell in rows for folder in re.findall(r"`(.+?)`", cell)}
    assert [folder for folder in listed if not (ROOT / folder).is_dir()] == []
    mirrors = {
        f"tests/{suite}/{layer}/{room}"
        for suite, layer in product(("unit", "integration"), LAYERS)
        for room in rooms(layer)
        if (ROOT / "tests" / suite / layer / room).is_dir()
    }
    assert mirrors <= listed
