"""What tests share: the service and a FHIR server on loopback, and the rule against skips."""

import logging
import os
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cds_service.app import create_app
from cds_service.observe import logs
from cds_service.settings import load_settings
from fhir_fixtures.stories import build, read_story
from tests import postgres
from tests.hapi.server import Hapi
from tests.java_tools import lacking
from tests.live import UNHURRIED, FhirServer, Service, serve
from tests.shared import SHARED, VARIABLE

# A machine that is busy is no fault, and what is drawn is the same each time.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

NO_SKIP = "MASSAGE_CDS_NO_SKIP"
CASES = Path(__file__).parent / "spec" / "cases"


def pytest_configure(config):
    config.addinivalue_line("markers", f"shared: reads the folder that {VARIABLE} names")
    config.addinivalue_line("markers", "requirement(numbers): demands of CDS Hooks that it tests")


def pytest_collection_modifyitems(config, items):
    """Leave out, and count, what compares with material that this machine does not have."""
    left_out = [] if SHARED.is_dir() else [i for i in items if i.get_closest_marker("shared")]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter):
    if not SHARED.is_dir():
        why = f"{VARIABLE} names no folder: tests that compare with it were left out"
        terminalreporter.write_line(why)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where everything a test needs is installed, a skip is a test that did not run."""
    report = yield
    if os.environ.get(NO_SKIP) == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although {NO_SKIP}=1: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """A module that skips itself while it is collected falls under the same rule."""
    report = yield
    if os.environ.get(NO_SKIP) == "1" and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped although {NO_SKIP}=1"
    return report


@pytest.fixture(autouse=True)
def _logging_as_it_was():
    """Take back what a command that ran in this process did to logging, which lasts as long."""
    loggers = [logging.getLogger(name) for name in (None, *logs.OURS)]
    levels = [one.level for one in loggers]
    handlers = loggers[0].handlers[:]
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)
    for added in {*loggers[0].handlers}.difference(handlers):
        if isinstance(added.formatter, logs.JsonLines | logs.PlainLines):
            loggers[0].removeHandler(added)
    if sys.excepthook is not hooks[0]:
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        logging.captureWarnings(False)


@pytest.fixture(scope="session")
def fhir_server():
    """A FHIR server with every case on a loopback port, one for each test process."""
    paths = sorted(CASES.glob("*.yaml"))
    server = FhirServer([build(path.stem, read_story(path)).record for path in paths])
    with serve(server.app) as url:
        server.url = f"{url}/fhir"
        yield server


@pytest.fixture(scope="session")
def service():
    """The real service on a loopback port, open to loopback FHIR servers."""
    app = create_app(load_settings(UNHURRIED), open_access=True, demo=False)
    with serve(app) as url:
        yield Service(url)


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server, one for each test process: each test asks it for a database of its own,
    and who stops it starts it again."""
    if not postgres.programs():
        pytest.skip(postgres.PACKAGE)
    yield from postgres.started()


@pytest.fixture(scope="session")
def hapi_of_run(tmp_path_factory):
    """The one HAPI server of this run, started or not."""
    own = tmp_path_factory.getbasetemp()
    hapi = Hapi((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "hapi")
    yield hapi
    hapi.leave()


@pytest.fixture(scope="session", autouse=True)
def hapi_in_time(request):
    """Let HAPI start while tests that need no server run."""
    if lacking() is None and any("hapi" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("hapi_of_run").start()


@pytest.fixture(scope="session")
def hapi(hapi_of_run):
    """HAPI FHIR JPA with every chart of tests.hapi.charts."""
    if (why := lacking()) is not None:
        pytest.skip(why)
    hapi_of_run.ready()
    return hapi_of_run
