"""Shares the slow tests out over several runs: a plugin of pytest.

Without the environment variable ``HMSKLEARN_SLOW`` every test runs. With
``HMSKLEARN_SLOW=2/5`` the second of five equal parts of the slow tests runs, and the
other four are reported as skipped. ``@pytest.mark.slow(seconds=90)`` says what a test
costs, ``@pytest.mark.slow(together="name")`` which tests must not be parted, because
they share a costly fixture.
"""

import os
import re

import pytest

VARIABLE = "HMSKLEARN_SLOW"

#: What a slow test costs that does not say it, in seconds.
SECONDS = 15


def chosen_part():
    """Part and number of parts that the environment names; None to run all."""
    value = os.environ.get(VARIABLE)
    if not value:
        return None
    match = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", value, flags=re.ASCII)
    if match is None or int(match[1]) > int(match[2]):
        raise pytest.UsageError(
            f"{VARIABLE}={value!r} names no part of the slow tests. Set it to "
            "PART/PARTS, as 2/5 for the second of five, or unset it to run all."
        )
    return int(match[1]), int(match[2])


def cost_of(item):
    """Seconds of a slow test, and the name of those that it stays together with."""
    mark = item.get_closest_marker("slow")
    seconds = mark.kwargs.get("seconds", SECONDS)
    together = mark.kwargs.get("together")
    known = not mark.args and set(mark.kwargs) <= {"seconds", "together"}
    sound = isinstance(seconds, (int, float)) and 0 < seconds < float("inf")
    named = together is None or (isinstance(together, str) and together != "")
    if not (known and sound and named):
        raise pytest.UsageError(
            f"{item.nodeid}: the mark slow takes seconds, a number above 0, and "
            f"together, a name; it was given {mark.args} and {mark.kwargs}."
        )
    return seconds, together


def share_out(costs, n_parts):
    """Give every slow test a part such that all parts cost about the same.

    `costs` maps node ids to what `cost_of` returns. The cases of one parametrised
    test are spread first: no part gets one more case before all parts have got
    theirs. Among the parts left, the next test goes to the cheapest one; the dearest
    tests choose first. The order of collection does not count.
    """
    bundles = {}
    for node, (seconds, together) in costs.items():
        name = node if together is None else f"together {together}"
        bundles.setdefault(name, {})[node] = seconds
    tests = {}
    for name, nodes in bundles.items():
        test = name if name not in nodes else name.partition("[")[0]
        tests.setdefault(test, []).append((-sum(nodes.values()), name))
    load = [0.0] * n_parts
    part_of = {}
    for _, cases in sorted((min(cases), sorted(cases)) for cases in tests.values()):
        n_cases = [0] * n_parts
        for cost, name in cases:
            part = min(range(n_parts), key=lambda i: (n_cases[i], load[i], i))
            n_cases[part] += 1
            load[part] -= cost
            part_of.update(dict.fromkeys(bundles[name], part + 1))
    return part_of


def pytest_configure(config):
    """Refuse a part that there is not before anything is collected."""
    chosen_part()


def pytest_report_header(config):
    """Say at the top which of the slow tests run."""
    chosen = chosen_part()
    if chosen is None:
        return f"slow tests: all ({VARIABLE} is not set)"
    return "slow tests: part {} of {}".format(*chosen)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Skip the slow tests of other parts, before -k, -m and the like choose."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    costs = {item.nodeid: cost_of(item) for item in slow}
    chosen = chosen_part()
    if chosen is None:
        return
    part, n_parts = chosen
    part_of = share_out(costs, n_parts)
    for item in slow:
        other = part_of[item.nodeid]
        if other != part:
            reason = (
                f"slow test of part {other}/{n_parts}: "
                f"unset {VARIABLE} or set it to {other}/{n_parts} to run it"
            )
            item.add_marker(pytest.mark.skip(reason=reason))
