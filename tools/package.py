"""Builds what AWS gets: build/<stage>/sam.json and build/<stage>/deployment.zip.

`chalice package` runs over a copy that holds exactly what ships. Its zip is then written again with the
console's files and with compiled code (Lambda's code folder is read-only, so without .pyc files every cold
start compiles), in a fixed order with fixed timestamps: the same input makes the same bytes.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

from tools import template
from tools.functions import DEPLOYED, FUNCTIONS, Stage
from tools.names import APP, Json, function_id

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
RUNTIME = f"{sys.version_info.major}.{sys.version_info.minor}"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold


class PackageError(Exception):
    """The package cannot be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Package:
    folder: Path
    digest: str
    """Of everything that went in: equal digests mean an equal package."""

    @property
    def sam(self) -> Path:
        return self.folder / "sam.json"

    @property
    def zip(self) -> Path:
        return self.folder / "deployment.zip"

    def template(self) -> Json:
        loaded: Json = json.loads(self.sam.read_text(encoding="utf-8"))
        return loaded


def build(stage: Stage, *, source: Path = ROOT, out: Path | None = None) -> Package:
    """Packages `source` for `stage`, or returns the package that is there when nothing has changed."""
    folder = (out or BUILD) / stage.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a run and a test may want the same package at once
        package = Package(folder, digest_of(stage, source))
        seal = folder / "digest"
        if not seal.is_file() or seal.read_text(encoding="utf-8") != package.digest:
            shutil.rmtree(folder, ignore_errors=True)
            _make(package, stage, source)
            seal.write_text(package.digest, encoding="utf-8")
    return package


def _make(package: Package, stage: Stage, source: Path) -> None:
    project = package.folder / "project"
    for file in code_files(source):
        _copy(file, project / file.relative_to(source))
    # Chalice would fetch requirements.txt anew at each change of our code; vendor/ it takes as it is.
    (project / "requirements.txt").write_text("", encoding="utf-8")
    (project / "vendor").symlink_to(vendored(stage, source / "requirements.txt"))
    template.write(project / ".chalice", stage)
    run_chalice(project, package.folder, stage)
    check_functions(package)
    finish_zip(package, source)


def _copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, to)


def code_files(source: Path) -> list[Path]:
    if not (source / "app.py").is_file():
        raise PackageError(f"{source} holds no app.py")
    found = [source / "app.py", *(source / "chalicelib").rglob("*")]
    return sorted(file for file in found if file.is_file() and file.suffix != ".pyc")


def console_files(source: Path) -> list[Path]:
    """The console's pages, without its notes and tests."""
    found = (source / "console").rglob("*")
    return sorted(file for file in found if file.is_file() and file.suffix not in {".md", ".py", ".pyc"})


def digest_of(stage: Stage, source: Path) -> str:
    ours = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(f"{stage} {RUNTIME} {template.architecture(stage)}".encode())
    for file in [*code_files(source), *console_files(source), source / "requirements.txt", *ours]:
        digest.update(f"{file.parent.name}/{file.name}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def vendored(stage: Stage, pins: Path) -> Path:
    """The pinned packages for the stage's processor, downloaded and compiled once for each set of pins."""
    machine = {"arm64": "aarch64", "x86_64": "x86_64"}[template.architecture(stage)]
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
    target = BUILD / "vendor" / f"{machine}-{RUNTIME}-{digest}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, ignore_cleanup_errors=True) as scratch:
        if not target.is_dir():
            wheels = ["--platform", f"manylinux2014_{machine}", "--python-version", RUNTIME]
            run(
                [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
                + ["--no-compile", "--only-binary", ":all:", *wheels, "--target", scratch, "-r", str(pins)],
                "the packages of requirements.txt could not be fetched as wheels for Lambda",
            )
            shutil.rmtree(Path(scratch) / "bin", ignore_errors=True)
            compile_tree(Path(scratch))
            with contextlib.suppress(OSError):  # another packaging was faster
                Path(scratch).replace(target)
    return target


def run_chalice(project: Path, folder: Path, stage: Stage) -> None:
    chalice = Path(sys.executable).with_name("chalice")
    if not chalice.is_file():
        raise PackageError("Chalice is not installed beside this Python: run `make package`")
    run(
        [str(chalice), "--project-dir", str(project), "package", "--stage", stage.name]
        + ["--merge-template", str(project / ".chalice" / "resources.json"), str(folder)],
        "chalice package failed",
    )


def run(command: list[str], failure: str) -> None:
    """Runs quietly; what the command said is shown only when it failed."""
    # Chalice does not package without a region, though nothing in the package names one.
    environment = {"AWS_DEFAULT_REGION": "us-east-1", **os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"{failure}:\n{done.stdout}{done.stderr}")


def check_functions(package: Package) -> None:
    """A function that the table does not know would get no policy; one that the app lacks, no code."""
    resources = package.template()["Resources"]
    serverless = {name: each for name, each in resources.items() if "Type" not in each or _is_function(each)}
    in_app = {name for name, each in serverless.items() if "Handler" in each["Properties"]}
    in_table = {function_id(function) for function in FUNCTIONS}
    if in_app != in_table:
        missing, extra = sorted(in_table - in_app), sorted(in_app - in_table)
        raise PackageError(f"tools/functions.py and app.py disagree: app lacks {missing}, table lacks {extra}")


def _is_function(resource: Json) -> bool:
    return bool(resource["Type"] == "AWS::Serverless::Function")


def finish_zip(package: Package, source: Path) -> None:
    tree = package.folder / "tree"
    with zipfile.ZipFile(package.zip) as chalices:
        chalices.extractall(tree)
    for part in (tree / "chalicelib", tree / "chalice"):
        compile_tree(part, inside=tree)
    compileall.compile_file(
        tree / "app.py", quiet=1, stripdir=tree, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
    )
    for file in console_files(source):
        _copy(file, tree / file.relative_to(source))
    package.zip.unlink()
    with zipfile.ZipFile(package.zip, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as rewritten:
        for file in sorted(path for path in tree.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(tree).as_posix(), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            rewritten.writestr(entry, file.read_bytes())
    shutil.rmtree(tree)


def compile_tree(tree: Path, *, inside: Path | None = None) -> None:
    """Compiled files that are never checked against their source: in Lambda the two cannot differ."""
    mode = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(tree, quiet=1, stripdir=inside or tree, invalidation_mode=mode)


def lint(package: Package) -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    run(
        [str(linter), "--non-zero-exit-code", "warning", str(package.sam)],
        "cfn-lint found faults in the packaged template",
    )


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make package", description=__doc__)
    arguments.add_argument("--stage", choices=DEPLOYED, default="prod")
    arguments.add_argument("--lint", action="store_true", help="run cfn-lint over the result")
    options = arguments.parse_args()
    stage = DEPLOYED[options.stage]
    try:
        package = build(stage)
        if options.lint:
            lint(package)
    except PackageError as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    print(report(package, stage))
    return 0


def report(package: Package, stage: Stage) -> str:
    sam = package.sam.relative_to(ROOT)
    ready = sam.with_name("packaged.json")
    name = f"{APP}-{stage.name}"
    lines = [
        f"{package.zip.relative_to(ROOT)}  {package.zip.stat().st_size / 1e6:.1f} MB",
        f"{sam}  {len(package.template()['Resources'])} resources, python{RUNTIME}, {template.architecture(stage)}",
    ]
    if not stage.is_local:
        lines += [
            "Deploy it (BUCKET is any bucket of yours in the same region):",
            f"  aws cloudformation package --template-file {sam} --s3-bucket BUCKET --use-json"
            f" --output-template-file {ready}",
            f"  aws cloudformation deploy --template-file {ready} --stack-name {name} --s3-bucket BUCKET"
            " --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
