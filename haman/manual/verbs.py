"""haman(8): every verb with its arguments, options and exit codes, from the parsers that take them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from haman.cli import VERBS, parsers
from haman.manual import roff

if TYPE_CHECKING:
    from collections.abc import Iterator

_BODY = """\
## Description

haman keeps a service's virtual IP alive. On two or three Linux directors it elects the active one by VRRP, programs the
kernel's load balancer (IPVS), moves the virtual IP, tells the neighbours, checks the real servers, and runs programs of
yours when a role changes. One file, **haman.yaml**(5), describes the whole cluster and is the same on every director.
"""

_END = """\
## Exit status

**`0`**
Fine.

**`1`**
The program failed, or no haman answers here.

**`2`**
The input is wrong: the command line, the configuration, a name.

**`3`**
The answer is no: something is wrong, a limit was missed.

What each verb means by them stands with the verb.

## Signals

**`SIGTERM`, `SIGINT`**
To `haman run`: hand over and end. An active director serves until another one has taken over, or nobody was heard in
time.

**`SIGHUP`**
To `haman run`: read the configuration again, as `haman reload` does, which also says what came of it.

## Environment

**`HAMAN_RUN_DIR`**
What stands in the place of `/run/haman`. It must be the same for `haman run` and for the verbs that ask it.

## Files

**`/etc/haman/haman.yaml`**
The configuration, see **haman.yaml**(5).

**`/run/haman/control.sock`**
The control socket: who may read and write it may ask.

**`/run/haman/owned`**
What haman has made in the kernel.

**`/run/haman/history/`**
What `haman history` tells after a restart.

## See also

**haman.yaml**(5), **ipvsadm**(8), **ip-address**(8)
"""


def page() -> str:
    """The page in roff."""
    whole, verbs = parsers(VERBS)
    lines = [*roff.head("haman", 8, "keeps a service's virtual IP alive"), ".SH SYNOPSIS", _usage(whole)]
    lines += [*roff.markdown(_BODY), ".SH VERBS"]
    for name, verb in verbs.items():
        lines += [f'.SS "haman {name}"', roff.plain(verb.description or ""), ".PP", _usage(verb)]
        for action in verb._actions:
            lines += _argument(verb, action)
        if verb.epilog:
            lines += [".PP", roff.inline(verb.epilog)]
    return "\n".join([*lines, *roff.markdown(_END)]) + "\n"


def _usage(parser: argparse.ArgumentParser) -> str:
    """`haman why [-h] [--json] OBJECT` in one line, its name in bold."""
    words = " ".join(parser.format_usage().split()).removeprefix("usage: ").replace("[-h] ", "").removesuffix(" [-h]")
    return roff.bold(parser.prog) + roff.plain(words.removeprefix(parser.prog))


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> Iterator[str]:
    if isinstance(action, argparse._HelpAction):
        return
    value = action.metavar if isinstance(action.metavar, str) else "|".join(map(str, action.choices or ()))
    value = value or action.dest.upper()
    if action.nargs == "?" and action.option_strings:
        value = f"[{value}]"
    named = ", ".join(roff.bold(option) for option in action.option_strings)
    takes = f"\\fI{roff.plain(value)}\\fR" if action.nargs != 0 else ""
    text = (action.help or "") % {**vars(action), "prog": parser.prog}
    yield from (".TP", " ".join(filter(None, (named, takes))), roff.inline(text[:1].upper() + text[1:] + "."))
