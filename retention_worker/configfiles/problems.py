"""Turns what pydantic finds in a file into one line each, with line, column and what to write."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from retention_worker.configfiles.text import problem
from retention_worker.configfiles.yaml_nodes import Document, Loc, Mark, dotted
from retention_worker.domain.datamap.datamap import KEY
from retention_worker.domain.errors import FileProblem, FileProblemsError

# Who meets so many has put another file here, and it is looked at again at each sweep: a log that
# repeats thousands of lines helps nobody.
MAX_PROBLEMS = 50

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], document: Document, hints: Mapping[str, str]) -> Model:
    """The file as the model; `hints` has what to write for each key that may be missing.

    Raises:
        FileProblemsError: one problem for each place that is wrong, in the file's order; of more
            than 50 the first.
    """
    try:
        return model.model_validate(document.value)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_input=True)
        misspelt = {
            (*loc[:-1], meant)
            for loc in (e["loc"] for e in errors if e["type"] == "extra_forbidden")
            if (meant := _nearest_key(loc, model))
        }
        problems: list[FileProblem] = []
        for error in errors:
            if error["type"] != "missing" or error["loc"] not in misspelt:  # one fault, one line
                problems += _problems(error, model, document, hints)
        raise FileProblemsError(in_order(problems)[:MAX_PROBLEMS]) from exc


def problem_at(document: Document, loc: Loc, message: str, *, key: bool = False) -> FileProblem:
    """A problem at the value of that path (or its key), or at what is nearest around it."""
    marks = document.key_marks if key else document.marks
    mark = marks.get(loc) or _nearest(document, loc)
    return problem(document.path, mark.line, mark.column, message, dotted(loc))


def in_order(problems: Iterable[FileProblem]) -> list[FileProblem]:
    """By line and column; of several at one place the first, because one fault is one line."""
    first: dict[tuple[str, int, int, str], FileProblem] = {}
    for found in problems:
        first.setdefault((found.path, found.line, found.column, found.key), found)
    return sorted(first.values(), key=lambda p: (p.path, p.line, p.column))


def _nearest(document: Document, loc: Loc) -> Mark:
    while loc and loc not in document.marks:
        loc = loc[:-1]
    return document.marks.get(loc, Mark(1, 1))


def _problems(
    error: ErrorDetails, model: type[BaseModel], document: Document, hints: Mapping[str, str]
) -> Iterator[FileProblem]:
    loc = _in_file(error["loc"], document)
    cause = error.get("ctx", {}).get("error")
    if error["type"] == "missing":
        key = str(error["loc"][-1])
        message = f"is missing: write {hints.get(key, 'it')}"
        mark = document.marks[loc]
        yield problem(document.path, mark.line, mark.column, message, dotted((*loc, key)))
    elif error["type"] == "extra_forbidden":
        yield problem_at(document, loc, _unknown(loc, model), key=True)
    elif (parts := getattr(cause, "problems", None)) is not None:  # a check over the whole file
        for part, message in parts:
            place = _in_file((*loc, *part), document)
            yield problem_at(document, place, message, key=part[-1] == KEY)
    else:
        yield problem_at(document, loc, _message(error), key=error["loc"][-1:] == (KEY,))


def _in_file(loc: Loc, document: Document) -> Loc:
    """The path without the parts that only pydantic knows.

    These are the names of a union's members, and the index 0 where one value stands for a list.
    """
    known: Loc = ()
    for part in loc:
        if (*known, part) in document.marks:
            known = (*known, part)
    return known


def _unknown(loc: Loc, model: type[BaseModel]) -> str:
    if meant := _nearest_key(loc, model):
        return f"is no key here: write {meant}"
    return f"is no key here: write one of {', '.join(_known_keys(loc, model))}"


def _nearest_key(loc: Loc, model: type[BaseModel]) -> str | None:
    return next(iter(difflib.get_close_matches(str(loc[-1]), _known_keys(loc, model), n=1)), None)


def _known_keys(loc: Loc, model: type[BaseModel]) -> list[str]:
    """The keys that may stand beside the last part of the path."""
    models = [model]
    for part in loc[:-1]:
        fields = {
            field.alias or name: field for m in models for name, field in m.model_fields.items()
        }
        if part in fields:  # else an index, or a name that the file's author chose
            models = list(_models_in(fields[str(part)].annotation))
    return [field.alias or name for m in models for name, field in m.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


_MESSAGES = {
    "bool_type": "write true or false",
    "dict_type": "write its keys under it, one a line",
    "model_type": "write its keys under it, one a line",
    "model_attributes_type": "write its keys under it, one a line",
    "list_type": "write a list",
    "tuple_type": "write a list",
    "too_short": "is empty: write at least one",
    "string_too_short": "is empty: write a text",
}


def _message(error: ErrorDetails) -> str:
    """What is wrong and what to write."""
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"write {context['expected']}".replace("'", "")
    if kind == "string_too_long":
        return f"is too long: write at most {context['max_length']} characters"
    if kind == "string_type":
        return f"{_kind_of(value)}, not a text: {_as_text(value)}"
    if message := _MESSAGES.get(kind):
        return message if message.startswith("is ") else f"{_kind_of(value)}: {message}"
    return error["msg"]


def _kind_of(value: Any) -> str:
    if value is None:
        return "is empty"
    if isinstance(value, bool):
        return "is true or false"
    names = {str: "is a text", int: "is a number", float: "is a number", list: "is a list"}
    return names.get(type(value), "has keys under it")


def _as_text(value: Any) -> str:
    if value is None:
        return "write one, or leave the line out"
    return "write it in quotes" if isinstance(value, bool | int | float) else "write one text"
