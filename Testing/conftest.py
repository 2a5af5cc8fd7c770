"""What a run could not test is said after its last test; where CI is set that is a failure."""

import os

from machine import NOT_INSTALLED, NOT_TESTED

untested: set[str] = set()


def pytest_runtest_logreport(report):
    if report.skipped and isinstance(report.longrepr, tuple):
        _, _, reason = report.longrepr
        if NOT_TESTED in reason:
            untested.add(reason.removeprefix("Skipped: "))


def pytest_sessionfinish(session, exitstatus):
    lacking = [reason for reason in untested if NOT_INSTALLED not in reason]
    if lacking and exitstatus == 0 and os.environ.get("CI"):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    for reason in sorted(untested):
        terminalreporter.write_line(reason, red=True, bold=True)
