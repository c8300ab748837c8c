"""The README's code names what exists, and its pipelines can be built."""

import ast
import re
from pathlib import Path

from sklearn.base import clone

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_imports_and_pipelines_of_the_example():
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    tree = ast.parse("".join(blocks))
    names = {}
    for node in tree.body:
        builds = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in (
            *("pipe", "pipe2", "stack", "image", "both", "pipe3"),
        )
        if isinstance(node, (ast.Import, ast.ImportFrom)) or builds:
            exec(compile(ast.Module([node], []), "README.md", "exec"), names)
    for name in ("pipe", "pipe2", "stack", "pipe3"):
        clone(names[name])
    called = {node.func.id for node in ast.walk(tree) if _calls_a_name(node)}
    assert called <= set(names)


def _calls_a_name(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def test_exactly_two_set_up_commands():
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
    assert len(blocks) == 2
    for block, end in zip(blocks, ("examples/quickstart.py", "pytest"), strict=True):
        assert block.count("\n") == 1
        assert block.startswith("python -m venv .venv && .venv/bin/pip install ")
        assert block.strip().endswith(end)
