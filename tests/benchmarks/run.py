"""Run the benchmarks and print a table of ratios.

``python tests/benchmarks/run.py`` runs all of them with one thread and with two;
``python tests/benchmarks/run.py filter mel --threads 1 --repeats 15`` some of them.
Each number of threads gets its own process, started with the environment variables that
the libraries look at.
"""

import argparse
import importlib
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def topics():
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def machine():
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    versions = ", ".join(
        f"{name} {importlib.import_module(name).__version__}"
        for name in ("numpy", "scipy", "torch", "librosa", "torchaudio")
    )
    python = f"Python {platform.python_version()}"
    return f"{processor}, {os.cpu_count()} cores; {python}, {versions}"


def run_here(chosen, n_threads, repeats):
    import torch
    from harness import measure, table

    torch.set_num_threads(n_threads)
    print(machine())
    print(f"{n_threads} thread(s), median of {repeats} turns")
    for topic in chosen:
        for job in importlib.import_module(f"bench_{topic}").jobs():
            print(table(measure(job, repeats=repeats, n_threads=n_threads)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="*", help=", ".join(topics()))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    chosen = arguments.topics or topics()
    unknown = set(chosen) - set(topics())
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if arguments.here:
        run_here(chosen, arguments.threads[0], arguments.repeats)
        return
    for n_threads in arguments.threads:
        environment = {**os.environ, **dict.fromkeys(VARIABLES, str(n_threads))}
        command = [sys.executable, str(Path(__file__)), *chosen, "--here"]
        command += ["--threads", str(n_threads), "--repeats", str(arguments.repeats)]
        subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main()
