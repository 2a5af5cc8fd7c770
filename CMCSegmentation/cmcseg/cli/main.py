"""The command line: which verbs there are, and with which code each of them ends."""

import os
import sys
from typing import Annotated

import tyro
from tyro.conf import FlagCreatePairsOff, subcommand

from cmcseg import __version__
from cmcseg.cli.console import fail
from cmcseg.cli.demo import Demo
from cmcseg.cli.doctor import Doctor
from cmcseg.cli.evaluate import Evaluate
from cmcseg.cli.finetune import FineTune
from cmcseg.cli.models import Models
from cmcseg.cli.prepare import Prepare
from cmcseg.cli.queue import Queue
from cmcseg.cli.sample import Sample
from cmcseg.cli.segment import Segment
from cmcseg.cli.study import Study
from cmcseg.cli.task import Task
from cmcseg.cli.train import Train
from cmcseg.cli.web import Web
from cmcseg.cli.work import Work
from cmcseg.core.card import RESEARCH_USE
from cmcseg.core.errors import BadInput, Cancelled, CMCSegError

Command = (
    Annotated[Segment, subcommand("segment")]
    | Annotated[Sample, subcommand("sample")]
    | Annotated[Task, subcommand("task")]
    | Annotated[Prepare, subcommand("prepare")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Study, subcommand("study")]
    | Annotated[FineTune, subcommand("finetune")]
    | Annotated[Models, subcommand("models")]
    | Annotated[Queue, subcommand("queue")]
    | Annotated[Doctor, subcommand("doctor")]
    | Annotated[Demo, subcommand("demo")]
    | Annotated[Web, subcommand("web")]
    | Annotated[Work, subcommand("work")]
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and leave with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        print(f"cmcseg {__version__}")
        return
    command = tyro.cli(
        Command,
        prog="cmcseg",
        args=arguments,
        description=f"Segment misaligned pairs of scans. {RESEARCH_USE}.",
        config=(FlagCreatePairsOff, tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )
    try:
        command.run()
        sys.stdout.flush()  # not only at the very end, where it could no longer be caught
    except BrokenPipeError:  # whoever reads us (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except BadInput as error:
        fail(str(error), 2)
    except (Cancelled, KeyboardInterrupt):
        fail("Cancelled; nothing was left half-written.", 1)
    except CMCSegError as error:
        fail(str(error), 1)
