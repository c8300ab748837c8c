"""Docstrings of the public parts: complete, in numpydoc's form, true to signatures."""

import dataclasses
import importlib
import inspect
import pkgutil

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import hmsklearn

# What numpydoc may say without being heard, and why.
IGNORED = {
    "ES01": "a summary that says everything needs no second paragraph",
    "EX01": "asked of classes and functions below; methods share their class's example",
    "GL01": "the summary starts beside the quotes, as PEP 257 and ruff want it",
    "RT02": "'self : object' names what comes back, as scikit-learn does",
    "SA01": "See Also is for parts that are easily mistaken for each other",
    "SA04": "names under See Also link to a page that describes them",
    "SS05": "takes plural nouns, as in 'Names of the channels', for verbs",
}


def public_modules():
    for info in pkgutil.walk_packages(hmsklearn.__path__, "hmsklearn."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            yield importlib.import_module(info.name)


def public_objects():
    """Every class and function that a public module names, once."""
    seen = set()
    for module in [hmsklearn, *public_modules()]:
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            named = inspect.isclass(value) or inspect.isfunction(value)
            if named and id(value) not in seen:
                seen.add(id(value))
                yield f"{module.__name__}.{name}", value


def methods_of(path, cls):
    for name, value in inspect.getmembers(cls):
        if name.startswith("_"):
            continue
        function = value.fget if isinstance(value, property) else value
        if getattr(function, "__module__", "").startswith("hmsklearn."):
            yield f"{path}.{name}"


OBJECTS = list(public_objects())
EVERYTHING = [path for path, _ in OBJECTS] + [
    method
    for path, value in OBJECTS
    if inspect.isclass(value)
    for method in methods_of(path, value)
]


def sections_of(value):
    return NumpyDocString(inspect.getdoc(value))


def fields_of(value):
    """Fields of a dataclass or named tuple: described as attributes or parameters."""
    if dataclasses.is_dataclass(value):
        return {field.name for field in dataclasses.fields(value)}
    return set(getattr(value, "_fields", ()))


@pytest.mark.parametrize("path", EVERYTHING)
def test_docstring_follows_numpydoc(path):
    fields = fields_of(dict(OBJECTS).get(path))
    problems = [
        f"{code}: {text}"
        for code, text in validate(path)["errors"]
        if code not in IGNORED and not (code == "PR01" and fields)
    ]
    assert not problems, "\n".join([path, *problems])
    if fields:
        sections = sections_of(dict(OBJECTS)[path])
        described = sections["Attributes"] + sections["Parameters"]
        assert fields <= {parameter.name for parameter in described}


# A base class has nothing to show before somebody derives from it.
SHOWN = [path for path, _ in OBJECTS if not path.rsplit(".", 1)[1].startswith("Base")]


@pytest.mark.parametrize("path", SHOWN)
def test_classes_and_functions_show_an_example(path):
    value = dict(OBJECTS)[path]
    assert sections_of(value)["Examples"], f"{path} has no Examples section"
    assert ">>>" in value.__doc__, f"the example of {path} is no doctest"


def test_learned_attributes_are_documented():
    """Attributes sections name exactly what ends in an underscore."""
    for path, value in OBJECTS:
        if not (inspect.isclass(value) and hasattr(value, "get_params")):
            continue  # not an estimator
        for parameter in sections_of(value)["Attributes"]:
            for name in parameter.name.split(","):
                assert name.strip().endswith("_"), f"{path}: attribute {name}"


def test_ignored_codes_state_reasons():
    assert all(len(reason.split()) >= 5 for reason in IGNORED.values())
