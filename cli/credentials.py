"""Where credentials come from: a file, the environment, or a person at the keyboard. Never an argument, which every
process of the machine may read and the shell remembers; never echoed."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


class NoCredentials(Exception):
    """Some are missing or the file is none; says what to do about it."""


def read_credentials(
    file: Path | None,
    environment: Mapping[str, str],
    stored: Mapping[str, Any],
    ask: Callable[[str], str] | None,
    needed: Sequence[str],
    optional: Sequence[str] = (),
) -> dict[str, Any]:
    """The credentials of one account. The file wins over the environment (HEADRACE_CLIENT_ID …), which wins over what
    is stored; for what is still missing of those `needed` a person is asked, if there is one. What else is stored
    stays."""
    given = _from_file(file, (*needed, *optional)) if file else {}
    found = dict(stored)
    for name in (*needed, *optional):
        value = given.get(name) or environment.get(f"HEADRACE_{name.upper()}") or found.get(name)
        if not value and ask and name in needed:
            value = ask(f"{name.replace('_', ' ')} (not shown): ").strip()
        if value:
            found[name] = str(value)
    missing = [name for name in needed if not found.get(name)]
    if missing:
        names = ", ".join(missing)
        variables = ", ".join(f"HEADRACE_{name.upper()}" for name in missing)
        raise NoCredentials(f"no {names}: give --file with a JSON object of them, or set {variables}")
    return found


def at_the_keyboard(prompt: str) -> str:
    """What a person types, unseen."""
    return getpass.getpass(prompt)


def _from_file(file: Path, names: Sequence[str]) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoCredentials(f"cannot read {file}: {error.strerror}") from None
    except ValueError:
        raise NoCredentials(f"{file} is no JSON") from None  # not what it holds
    if not isinstance(found, dict):
        raise NoCredentials(f"{file} must hold a JSON object with {', '.join(names)}")
    return found
