"""What Schemathesis does beyond its settings; loaded by it for `.ci/schemathesis`.

Dictionaries reach the fuzzing alone. So that examples and coverage meet what exists too, the ids of the world become
examples in the document as it is read: of parameters, and of the fields of bodies that name something.
"""

import itertools
import json
import os
import pathlib
import tomllib

import schemathesis

WORLD = pathlib.Path(os.environ["PICLOUD_WORLD"])
SETTINGS = tomllib.loads((WORLD / "schemathesis.toml").read_text())
METHODS = ("get", "put", "post", "delete", "patch")
count = itertools.count()


def values(dictionary):
    """The entries of a dictionary of the settings."""
    made = SETTINGS["dictionaries"][dictionary]
    if "values" in made:
        return made["values"]
    return [json.loads(line) for line in (WORLD / made["from-file"]).read_text().splitlines()]


def bound(method, path):
    """The dictionaries of an operation, by `location.name`."""
    own = [block for block in SETTINGS["operations"] if block.get("include-name") == f"{method.upper()} {path}"]
    tables = [SETTINGS["parameters"], *(block.get("parameters", {}) for block in own)]
    return {key: values(binding["dictionary"]) for table in tables for key, binding in table.items()}


def found(document, thing):
    """What a `$ref` stands for."""
    while "$ref" in thing:
        target = document
        for step in thing["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        thing = target
    return thing


def fill(example, known):
    """Names in an example what exists, wherever a field of that name stands."""
    if isinstance(example, dict):
        for name, value in example.items():
            if f"body.{name}" in known and isinstance(value, str):
                example[name] = known[f"body.{name}"][0]
            else:
                fill(value, known)
    elif isinstance(example, list):
        for item in example:
            fill(item, known)


def with_examples(parameter, entries):
    """A copy: what several operations share is not the same thing in each."""
    examples = {f"world{n}": {"value": entry} for n, entry in enumerate(entries or [])}
    return {**parameter, "examples": examples} if examples else parameter


@schemathesis.hook
def before_load_schema(context, raw_schema):
    bodies = bound("", "")
    for schema in raw_schema.get("components", {}).get("schemas", {}).values():
        fill([schema.get("example"), schema.get("examples")], bodies)
    for path, item in raw_schema["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            known = {key.lower(): entries for key, entries in bound(method, path).items()}
            operation = item[method]
            operation["parameters"] = [
                with_examples(parameter, known.get(f"{parameter['in']}.{parameter['name']}".lower()))
                for parameter in (found(raw_schema, p) for p in item.get("parameters", []) + operation.get("parameters", []))
            ]
            for media in found(raw_schema, operation.get("requestBody", {})).get("content", {}).values():
                fill([media.get("example"), media.get("examples"), media.get("schema", {}).get("examples")], bodies)
        item.pop("parameters", None)


@schemathesis.hook
def before_call(context, case, kwargs):
    """A key is taken once: what was made up twice would be refused for that alone, and show nothing else."""
    key = case.headers.get("idempotency-key")
    if isinstance(key, str) and key.isascii() and key.isprintable() and key.strip() and len(key) <= 100:
        case.headers["idempotency-key"] = f"{key}-{next(count)}"
    # An app that may have no trigger, or no bytes, answers 507 to whoever makes one. That is as described, and all that would be seen of it.
    if case.operation.path.endswith("/quota") and isinstance(case.body, dict):
        for bound_of_things in ("scripts", "triggers", "data_bytes", "file_bytes"):
            case.body.pop(bound_of_things, None)
    # What was made up as a whole app would take the place of the world: it is judged, and refused for being out of date.
    if case.method == "POST" and case.operation.path.endswith(("/deployments", "/rollback")) and isinstance(case.body, dict):
        case.body["base"] = "0" * 64
