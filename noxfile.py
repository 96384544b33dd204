"""Everything that is run on this repository, each session in a clean environment of its own.

``python -m nox -l`` lists the sessions. A package name narrows a session to that package, and
whatever else follows ``--`` goes to the program that it runs::

    python -m nox -s tests -- gfwx -k header
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
CONSTRAINTS = str(ROOT / "constraints.txt")
PACKAGES = ("gfwx", "vaetheory")
# What is installed besides a package itself to test all of it.
EXTRAS = {"gfwx": "", "vaetheory": "[cli]"}
DEMOS = {"gfwx": ["demo.py"], "vaetheory": ["digits.py", "noise.py"]}

# How meson is to build gfwx for the sweeps of `tests_full`.
BUILDS = {
    "release": [],
    "portable": ["-Dportable=true"],
    "boundscheck": ["-Dboundscheck=true"],
    "sanitizers": [
        "-Dbuildtype=debugoptimized",
        "-Db_sanitize=address,undefined",
        "-Db_lundef=false",
        "-Dc_args=-fno-sanitize-recover=undefined",
    ],
}

# Extras by which gfwx works inside other libraries; each has its tests, for an environment with it
# alone.
INTEGRATIONS = (
    "cli",
    "pillow",
    "imageio",
    "raw",
    "numcodecs",
    "zarr",
    "dask",
    "tifffile",
    "xarray",
)

nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "tests"]


def arguments(session: nox.Session, package: str) -> list[str]:
    """Return what follows the package names, or skip the session if another package is meant."""
    asked = [argument for argument in session.posargs if argument in PACKAGES]
    if asked and package not in asked:
        session.skip(f"asked for {', '.join(asked)} only")
    return [argument for argument in session.posargs if argument not in PACKAGES]


def group(package: str, name: str) -> list[str]:
    """Return the requirements of one of the package's dependency groups."""
    settings = nox.project.load_toml(f"{package}/pyproject.toml")
    return list(nox.project.dependency_groups(settings, name))


def install(session: nox.Session, *what: str) -> None:
    """Install at the pinned versions, those used in isolated builds included."""
    pinned = {"PIP_CONSTRAINT": CONSTRAINTS, "PIP_BUILD_CONSTRAINT": CONSTRAINTS}
    session.install("--constraint", CONSTRAINTS, *what, env=pinned)


@nox.session
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def demo(session: nox.Session, package: str) -> None:
    """Run the package's scripts, which make the figures and tables of its README."""
    rest = arguments(session, package)
    install(session, f"./{package}{EXTRAS[package]}", *group(package, "demo"))
    session.chdir(package)
    for script in DEMOS[package]:
        session.run("python", f"demo/{script}", *rest)


@nox.session
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def tests(session: nox.Session, package: str) -> None:
    """Test the installed package."""
    rest = arguments(session, package)
    install(session, f"./{package}{EXTRAS[package]}", *group(package, "test"))
    session.chdir(package)
    session.run("pytest", *rest)


@nox.session
@nox.parametrize("build", list(BUILDS), ids=list(BUILDS))
def tests_full(session: nox.Session, build: str) -> None:
    """Test gfwx with the long sweeps too, and other builds of its kernels."""
    rest = arguments(session, "gfwx")
    options = [f"--config-settings=setup-args={option}" for option in BUILDS[build]]
    install(session, *options, "./gfwx", *group("gfwx", "test"))
    environment = sanitizer_environment(session) if build == "sanitizers" else {}
    session.chdir("gfwx")
    if build in ("boundscheck", "sanitizers"):
        # The question is memory, not the arithmetic of every picture.
        rest = ["tests/test_mutations.py", "tests/test_conformance.py", *rest]
    if build != "portable":
        rest = ["-m", "slow or not slow", *rest]
    session.run("pytest", *rest, env=environment)


@nox.session
@nox.parametrize("extra", INTEGRATIONS, ids=INTEGRATIONS)
def tests_integrations(session: nox.Session, extra: str) -> None:
    """Test gfwx inside another library, with nothing installed but what its extra brings."""
    rest = arguments(session, "gfwx")
    install(session, f"./gfwx[{extra}]", "pytest")
    session.chdir("gfwx")
    names = sorted(path.name for path in Path("tests_integrations").glob(f"test_{extra}*.py"))
    session.run("pytest", *(f"tests_integrations/{name}" for name in names), *rest)


@nox.session
def tests_pythae(session: nox.Session) -> None:
    """Test vaetheory on a model that another library has trained."""
    rest = arguments(session, "vaetheory")
    install(session, "./vaetheory", *group("vaetheory", "pythae"))
    session.chdir("vaetheory")
    session.run("pytest", "tests_pythae", *rest)


def sanitizer_environment(session: nox.Session) -> dict[str, str]:
    """Return the variables under which an uninstrumented Python runs instrumented modules."""
    runtime = session.run("gcc", "-print-file-name=libasan.so", external=True, silent=True)
    return {
        "LD_PRELOAD": str(runtime).strip(),
        # Python itself leaks at exit, by design; freed memory is held back, but not without end.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=32",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # Without it small objects come from Python's own pools, out of the sanitizer's sight.
        "PYTHONMALLOC": "malloc",
        # What the mutation tests allow for each decode: sanitizers need more of both.
        "GFWX_MUTATION_MEGABYTES": "512",
        "GFWX_MUTATION_SECONDS": "20",
    }


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types: ruff, cython-lint, mypy."""
    asked = [name for name in PACKAGES if name in session.posargs]
    packages = asked or list(PACKAGES)
    files = packages if asked else ["."]
    install(session, "ruff", "cython-lint", "mypy")
    # Typed libraries that the code uses; mypy takes the untyped and the heavy ones as they come.
    install(session, "click", "hypothesis", "nox", "numpy", "pillow", "pytest", "rich")
    if "vaetheory" in packages:
        install(session, "torch")
    session.run("ruff", "check", *files)
    session.run("ruff", "format", "--check", *files)
    session.run("cython-lint", *packages)
    for package in packages:
        session.run("mypy", "--strict", f"{package}/src")
        session.run("mypy", f"{package}/demo", env={"MYPYPATH": f"{package}/demo"})
        # Apart from the other package's, whose test modules may have the same names.
        session.run("mypy", f"{package}/tests", env={"MYPYPATH": f"{package}/tests"})
    if "vaetheory" in packages:
        session.run("mypy", "vaetheory/tests_pythae")
    if "gfwx" in packages:
        folder = "gfwx/tests_integrations"
        session.run("mypy", folder, env={"MYPYPATH": folder})
    if not asked:
        session.run("mypy", "--strict", "noxfile.py")
        session.run("mypy", "--exclude", "bench/vae/", "bench", env={"MYPYPATH": "bench"})
        session.run("mypy", "bench/vae", env={"MYPYPATH": "bench/vae"})


@nox.session
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def wheels(session: nox.Session, package: str) -> None:
    """Build the source distribution, from that the wheel, and test it in a clean environment."""
    rest = arguments(session, package)
    install(session, "build")
    dist = ROOT / "dist"
    for old in dist.glob(f"{package}-*"):
        old.unlink()
    pinned = {"PIP_CONSTRAINT": CONSTRAINTS, "PIP_BUILD_CONSTRAINT": CONSTRAINTS}
    session.run("python", "-m", "build", "--outdir", str(dist), package, env=pinned)
    (wheel,) = dist.glob(f"{package}-*.whl")

    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "venv", folder)
        python = str(Path(folder, "Scripts" if os.name == "nt" else "bin", "python"))
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        session.run(
            *pip, "install", "--quiet", "--constraint", CONSTRAINTS, str(wheel), external=True
        )
        if package == "gfwx":
            listing = session.run(*pip, "list", "--format=json", external=True, silent=True)
            installed = {entry["name"] for entry in json.loads(str(listing))}
            if extra := installed - {"gfwx", "numpy", "pip", "setuptools"}:
                session.error(f"gfwx should need only NumPy, but brought {sorted(extra)}")
        test = [f"{wheel}{EXTRAS[package]}", *group(package, "test")]
        session.run(*pip, "install", "--quiet", "--constraint", CONSTRAINTS, *test, external=True)
        session.chdir(package)
        session.run(python, "-m", "pytest", *rest, external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site of gfwx's documentation, in build/site; any warning is an error."""
    rest = arguments(session, "gfwx")
    plugins = "imageio,numcodecs,pillow,zarr"
    install(session, f"./gfwx[{plugins}]", *group("gfwx", "docs"))
    session.run("python", "gfwx/docs/site/stage.py", "build/docs")
    options = ["--quiet", "--fail-on-warning", "--keep-going", "-c", "gfwx/docs/site"]
    session.run("sphinx-build", *options, *rest, "build/docs", "build/site")
    session.log(f"open {ROOT / 'build/site/index.html'}")


@nox.session
def bench(session: nox.Session) -> None:
    """Compare the codec with others: sizes, speeds, quality, memory; writes a report."""
    rest = with_whole_paths(session, arguments(session, "gfwx"))
    install(session, "./gfwx", "-r", "bench/requirements.txt")
    session.chdir("bench")
    session.run("pytest", *rest)


@nox.session
def bench_log_determinants(session: nox.Session) -> None:
    """Compare log-determinants from products with those of other libraries; writes a report."""
    rest = with_whole_paths(session, arguments(session, "vaetheory"))
    install(session, "./vaetheory", "-r", "bench/log_determinants/requirements.txt")
    session.chdir("bench")
    session.run("python", "-m", "log_determinants.compare", *rest)


@nox.session
def bench_vae(session: nox.Session) -> None:
    """Time training steps and the evidence of an image; writes a report."""
    rest = with_whole_paths(session, arguments(session, "vaetheory"))
    install(session, "./vaetheory[cli]", "-r", "bench/vae/requirements.txt")
    session.chdir("bench/vae")
    session.run("pytest", *rest)


@nox.session
def reproduce(session: nox.Session) -> None:
    """Run the experiments on the theory's claims; writes docs/reproduction.md.

    On digits, and on Fashion-MNIST where its files are found or `--data-folder` names them.
    """
    rest = with_whole_paths(session, arguments(session, "vaetheory"))
    install(session, "./vaetheory[cli]")
    command = ["vaetheory", "reproduce", "all", "--output", "docs", "--data"]
    session.run(*command, "digits", *rest)
    packaged = Path("/usr/share/datasets/fashion-mnist")
    given = any(argument.startswith("--data-folder") for argument in rest)
    if given or "VAETHEORY_DATA" in os.environ or packaged.exists():
        session.run(*command, "fashion-mnist", *rest)
    else:
        session.log("no Fashion-MNIST: give -- --data-folder DIR, or set VAETHEORY_DATA")


@nox.session
def bench_zarr(session: nox.Session) -> None:
    """Write and read a Zarr array larger than the workers' memory; writes a report."""
    rest = with_whole_paths(session, arguments(session, "gfwx"))
    install(session, "./gfwx[dask]", "-r", "bench/zarr_stacks/requirements.txt")
    session.chdir("bench")
    session.run("python", "-m", "zarr_stacks.compare", *rest)


@nox.session
def bench_sequences(session: nox.Session) -> None:
    """Write and read sequences of frames, with prediction and without; writes a report."""
    rest = with_whole_paths(session, arguments(session, "gfwx"))
    install(session, "./gfwx", "-r", "bench/sequences/requirements.txt")
    session.chdir("bench")
    session.run("python", "-m", "sequences.compare", *rest)


@nox.session
def bench_drafts(session: nox.Session) -> None:
    """Time thumbnails of a large picture through Pillow; writes a report."""
    rest = with_whole_paths(session, arguments(session, "gfwx"))
    install(session, "./gfwx[pillow]", "-r", "bench/drafts/requirements.txt")
    session.chdir("bench")
    session.run("python", "-m", "drafts.compare", *rest)


def with_whole_paths(session: nox.Session, rest: list[str]) -> list[str]:
    """Return arguments with the paths of options joined to them, made absolute.

    pytest would take a path that stands alone for tests, and runs in another folder.
    """
    made: list[str] = []
    following = iter(rest)
    for argument in following:
        name, separator, path = argument.partition("=")
        if name in (
            "--pictures",
            "--reference",
            "--report",
            "--data-folder",
            "--folder",
            "--frames",
        ):
            path = path if separator else next(following, "")
            if not path or path.startswith("-"):
                session.error(f"{name} needs a path after it")
            made.append(f"{name}={Path(path).resolve()}")
        else:
            made.append(argument)
    return made
