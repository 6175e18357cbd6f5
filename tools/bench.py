"""`make bench`: what a cold start costs. Imports each Lambda's module from the package, in fresh interpreters.

These are times of this machine, to compare one commit with another; Lambda's own are longer.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import zipfile

from tools.functions import DEPLOYED
from tools.package import Package, build

RUNS = 5
TIMED_IMPORT = """
import sys, time
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
__import__(sys.argv[2])
print((time.perf_counter() - began) * 1000)
"""


def import_ms(folder: str, module: str) -> float:
    """Median of fresh interpreters."""
    command = [sys.executable, "-c", TIMED_IMPORT, folder, module]
    times = [float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(RUNS)]
    return statistics.median(times)


def modules(package: Package) -> dict[str, str]:
    """Function to the module that Lambda imports for it."""
    resources = package.template()["Resources"]
    handlers = {name: each["Properties"].get("Handler") for name, each in resources.items()}
    return {name: handler.rpartition(".")[0] for name, handler in handlers.items() if handler}


def main() -> int:
    package = build(DEPLOYED["local"])
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(package.zip) as zipped:
            zipped.extractall(folder)
            unpacked_mb = sum(entry.file_size for entry in zipped.infolist()) / 1e6
        print(f"{'package':<22}{package.zip.stat().st_size / 1e6:>8.1f} MB, unpacked {unpacked_mb:.1f} MB")
        print(f"{'boto3, for comparison':<22}{import_ms(folder, 'boto3'):>8.0f} ms")
        for name, module in sorted(modules(package).items()):
            print(f"{name:<22}{import_ms(folder, module):>8.0f} ms  {module}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
