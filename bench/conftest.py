"""Options, what the suites share, and the report at the end."""

from __future__ import annotations

from pathlib import Path

import machine
import pytest
import report
from plan import Plan, make_plan
from results import Results

FOLDER = Path(__file__).resolve().parent
PLAN = pytest.StashKey[Plan]()
RESULTS = pytest.StashKey[Results]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gfwx benchmarks")
    group.addoption("--quick", action="store_true", help="small pictures, under two minutes")
    group.addoption("--pictures", type=Path, metavar="DIR", help="your own pictures instead")
    group.addoption(
        "--reference", type=Path, metavar="PROGRAM", help="built from reference/driver.cpp"
    )
    group.addoption("--report", type=Path, metavar="DIR", help="where to write the report")


def pytest_configure(config: pytest.Config) -> None:
    program: Path | None = config.getoption("--reference")
    if program is not None and not program.is_file():
        raise pytest.UsageError(f"--reference: there is no program {program}")
    try:
        config.stash[PLAN] = make_plan(config.getoption("--pictures"), config.getoption("--quick"))
    except (OSError, ValueError) as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[RESULTS] = Results()
    config.stash[RESULTS].facts = machine.describe() | {"note": config.stash[PLAN].note}


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    results = config.stash[RESULTS]
    if not results.suites or hasattr(config, "workerinput"):
        return
    pictures = config.stash[PLAN].all_pictures
    results.facts["pictures"] = [machine.describe_picture(picture) for picture in pictures]
    folder = report_folder(config)
    results.save(folder / "results.json")
    report.write(results, folder)


@pytest.hookimpl(trylast=True)  # after the tables of pytest-benchmark, which are long
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if config.stash[RESULTS].suites:
        terminalreporter.write_line(f"Report: {report_folder(config) / 'index.md'}")


def report_folder(config: pytest.Config) -> Path:
    """Return where to write: the repository's own report is of whole runs on its own pictures."""
    asked: Path | None = config.getoption("--report")
    if asked is not None:
        return asked
    selected = config.getoption("-k") or config.args_source is pytest.Config.ArgsSource.ARGS
    if config.stash[PLAN].is_default and not selected:
        return FOLDER / "report"
    return FOLDER.parent / "build" / "bench"


@pytest.fixture(scope="session")
def plan(pytestconfig: pytest.Config) -> Plan:
    return pytestconfig.stash[PLAN]


@pytest.fixture(scope="session")
def results(pytestconfig: pytest.Config) -> Results:
    return pytestconfig.stash[RESULTS]


@pytest.fixture(scope="session")
def reference(pytestconfig: pytest.Config) -> Path:
    program: Path | None = pytestconfig.getoption("--reference")
    if program is None:
        pytest.skip("needs --reference PROGRAM (see README.md)")
    return program.resolve()
