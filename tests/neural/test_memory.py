"""Freed memory that stays with the process."""

import ctypes
import platform
import resource
from pathlib import Path

import pytest
import torch

from hmsklearn.neural import _memory, keep_freed_memory

glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the setting is one of glibc"
)


def faults(n_turns=20):
    """Pages that the system had to hand out for large tensors."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n_turns):
        torch.ones(50_000_000, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@glibc
def test_memory_is_asked_for_once():
    outside = faults()
    with keep_freed_memory():
        faults(1)
        inside = faults()
    assert inside < outside / 5


def resident():
    """Megabytes that the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


@glibc
def test_memory_is_given_back_at_the_end():
    before = resident()
    with keep_freed_memory():
        tensors = [torch.ones(25_000_000, dtype=torch.uint8) for _ in range(8)]
        del tensors
        assert resident() > before + 150
    assert resident() < before + 50


@glibc
def test_only_the_outermost_block_counts(monkeypatch):
    calls = []
    monkeypatch.setattr(_memory, "_set", lambda libc, options: calls.append(options))
    with keep_freed_memory():
        with keep_freed_memory():
            pass
        assert calls == [_memory._WITHIN]
    assert calls == [_memory._WITHIN, _memory._AFTER]


@glibc
def test_an_error_ends_the_block(monkeypatch):
    calls = []
    monkeypatch.setattr(_memory, "_set", lambda libc, options: calls.append(options))
    with pytest.raises(KeyError), keep_freed_memory():
        raise KeyError
    assert calls[-1] == _memory._AFTER


@glibc
def test_a_refused_setting_is_an_error():
    class Refusing:
        mallopt = staticmethod(lambda option, value: 0)

    with pytest.raises(RuntimeError, match="glibc refused"):
        _memory._set(Refusing(), {_memory._MMAP_MAX: 0})


@pytest.mark.parametrize("name", ["", "musl"])
def test_other_libraries_are_named(monkeypatch, name):
    monkeypatch.setattr(platform, "libc_ver", lambda: (name, "1"))
    ran = False
    with pytest.warns(UserWarning, match="needs glibc"), keep_freed_memory():
        ran = True
    assert ran


def test_a_library_without_the_function(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    with pytest.warns(UserWarning, match="needs glibc"), keep_freed_memory():
        pass
