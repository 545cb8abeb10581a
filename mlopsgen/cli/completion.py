"""`mlopsgen completion`: what a shell offers when TAB is pressed.

Each shell gets a short script that asks `mlopsgen completion candidates` for what fits, so that an upgrade
of mlopsgen needs no new script, and environments are those of the pipeline at hand.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlopsgen.cli import COMMANDS, GOOD, nearest_pipeline, parser

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlopsgen.source.node import Node

SHELLS = ("bash", "fish", "zsh")

FILES, FOLDERS = ":files", ":folders"
"""Lines that tell the script to offer paths."""

BASH = r"""# Completion of mlopsgen for bash. In ~/.bashrc: eval "$(mlopsgen completion bash)"
_mlopsgen() {
    local word rest path words typed
    COMPREPLY=()
    # Words come as they are typed, with their backslashes and quotes.
    words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    words=("${words[@]//[\\\"\']/}")
    typed=${words[@]: -1}
    while IFS=$'\t' read -r word rest; do
        case $word in
            :files | :folders)
                compopt -o filenames 2>/dev/null
                while IFS= read -r path; do
                    COMPREPLY+=("$path")
                done < <(compgen -"$([[ $word == :files ]] && echo f || echo d)" -- "${typed#=}") ;;
            ?*) COMPREPLY+=("$word") ;;
        esac
    done < <("$1" completion candidates "${words[@]/#/:}" 2>/dev/null)
}
complete -F _mlopsgen mlopsgen
"""

ZSH = r"""#compdef mlopsgen
# Completion of mlopsgen for zsh. In ~/.zshrc, after compinit: eval "$(mlopsgen completion zsh)"
_mlopsgen() {
    local line
    local -a typed lines found
    typed=("${(@Q)words[2,CURRENT]}")
    lines=("${(@f)$("${(Q)words[1]}" completion candidates "${(@)typed/#/:}" 2>/dev/null)}")
    found=()
    for line in $lines; do
        case $line in
            :files) compset -P '--*='; _files; return ;;
            :folders) compset -P '--*='; _files -/; return ;;
            *) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    compset -P '--*='
    _describe -t candidates 'mlopsgen' found
}
if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
    _mlopsgen "$@"
else
    compdef _mlopsgen mlopsgen
fi
"""

FISH = r"""# Completion of mlopsgen for fish. In config.fish: mlopsgen completion fish | source
function __mlopsgen_candidates
    set -l words (commandline --tokenize --current-process --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l program $words[1]
    set -e words[1]
    set -l head (string match --regex -- '^--[^=]+=' "$current")
    set -l value (string replace --regex -- '^--[^=]+=' '' "$current")
    for line in ($program completion candidates :$words ":$current" 2>/dev/null)
        switch $line
            case :files
                for path in (complete --do-complete "'' $value")
                    echo "$head$path"
                end
            case :folders
                for path in (__fish_complete_directories "$value")
                    echo "$head$path"
                end
            case '*'
                echo "$head$line"
        end
    end
end
complete --command mlopsgen --no-files --arguments '(__mlopsgen_candidates)'
"""

SCRIPTS = {"bash": BASH, "fish": FISH, "zsh": ZSH}


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "shell", choices=(*SHELLS, "candidates"), metavar="SHELL", help=f"one of {', '.join(SHELLS)}"
    )
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.usage = "mlopsgen completion [-h] SHELL"
    parser.epilog = (
        'For bash, put `eval "$(mlopsgen completion bash)"` into ~/.bashrc; for zsh the same with `zsh` into '
        "~/.zshrc, after compinit; for fish `mlopsgen completion fish | source` into config.fish."
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the shell's script, or what it asks for."""
    if arguments.shell in SCRIPTS:
        print(SCRIPTS[arguments.shell], end="")
        return GOOD
    # Each word comes after a colon, so that none is taken for an option of this command.
    for each in candidates([word.removeprefix(":") for word in arguments.words] or [""]):
        print(f"{each.word}\t{each.text}" if each.text else each.word)
    return GOOD


class Candidate(NamedTuple):
    """A word that fits, and what it means; or `FILES` or `FOLDERS`."""

    word: str
    text: str = ""


class _Line(NamedTuple):
    """A command line up to the cursor, as far as it is understood."""

    parser: argparse.ArgumentParser
    used: tuple[argparse.Action, ...]
    option: argparse.Action | None
    """The option whose value is to come."""

    positionals: int
    """How many positional arguments the command has already."""

    files: tuple[str, ...]
    """The pipelines that are named."""


def candidates(words: Sequence[str]) -> Iterator[Candidate]:
    """What the last of `words` (after `mlopsgen`) can become."""
    *before, current = words
    if current == "=" and before:
        # bash splits `--env=` into three words.
        current = ""
    elif current.startswith("--") and "=" in current:
        option, current = current.split("=", 1)
        before.append(option)
    line = _read(before)
    for each in _offered(line, current):
        if each.word.startswith(current) or each.word in (FILES, FOLDERS):
            yield each


def _read(words: Sequence[str]) -> _Line:
    command = next((word for word in words if word in COMMANDS), None)
    line = _Line(parser(command), (), None, 0, ())
    for word in words:
        line = _step(line, word)
    return line


def _step(line: _Line, word: str) -> _Line:
    """The line with one more word."""
    if word == "=":
        return line
    if line.option:
        files = (word,) if _is_file(line.option) else ()
        return _Line(line.parser, line.used, None, line.positionals, (*line.files, *files))
    if word.startswith("-"):
        name = word.split("=", 1)[0]
        action = next((each for each in line.parser._actions if name in each.option_strings), None)
        takes = action if action and action.nargs != 0 and "=" not in word else None
        used = (*line.used, action) if action else line.used
        return _Line(line.parser, used, takes, line.positionals, line.files)
    action = _positional(line)
    if isinstance(action, argparse._SubParsersAction):
        below = action.choices.get(word)
        if below:
            return _Line(below, (), None, 0, line.files)
    files = (word,) if action and _is_file(action) else ()
    return _Line(line.parser, line.used, None, line.positionals + 1, (*line.files, *files))


def _positional(line: _Line) -> argparse.Action | None:
    """The positional argument that comes next."""
    actions = [each for each in line.parser._actions if not each.option_strings]
    return actions[line.positionals] if line.positionals < len(actions) else None


def _is_file(action: argparse.Action) -> bool:
    return action.metavar == "FILE"


def _offered(line: _Line, current: str) -> Iterator[Candidate]:
    if line.option:
        yield from _values(line.option, line, current)
    elif current.startswith("-"):
        yield from _options(line)
    elif action := _positional(line):
        yield from _values(action, line, current)


def _options(line: _Line) -> Iterator[Candidate]:
    for action in line.parser._actions:
        if action.option_strings and action not in line.used and action.help != argparse.SUPPRESS:
            text = action.help or ""
            # The long form says what it does; short ones are for those who know them.
            longs = [each for each in action.option_strings if each.startswith("--")]
            for word in longs or action.option_strings:
                yield Candidate(word, text)


def _values(action: argparse.Action, line: _Line, current: str) -> Iterator[Candidate]:
    if isinstance(action, argparse._SubParsersAction):
        for each in action._choices_actions:
            yield Candidate(each.dest, each.help or "")
    elif action.dest == "shell":
        yield from map(Candidate, SHELLS)
    elif action.choices:
        yield from (Candidate(str(each)) for each in action.choices)
    elif "--env" in action.option_strings:
        yield from _environments(_pipeline(line))
    elif " local " in line.parser.prog and (sections := _LOCAL.get(line.parser.prog.split()[-1])):
        yield from _named(_pipeline(line), sections)
        if line.parser.prog.endswith(" logs"):
            yield from _ASIDE
    elif action.metavar in ("FILE", "FOLDER"):
        yield Candidate(FILES if action.metavar == "FILE" else FOLDERS)
    elif line.parser.prog.endswith(" explain"):
        yield from _reference(current)


def _pipeline(line: _Line) -> str:
    """The pipeline that is named, or the nearest."""
    return line.files[-1] if line.files else nearest_pipeline()


_LOCAL = {
    "env": ("jobs", "services", "workers"),
    "logs": ("jobs", "services", "workers"),
    "restart": ("services", "workers"),
    "train": ("jobs",),
}
"""The sections of the spec whose things an action of `mlopsgen local` takes the name of."""

_ASIDE = (
    Candidate("deploy", "the deployment to the embedded AWS"),
    Candidate("embedded-aws", "the embedded AWS"),
    Candidate("load-balancer", "each request"),
)
"""Logs of what is no workload."""


def _named(file: str, sections: Sequence[str]) -> Iterator[Candidate]:
    """What the pipeline in `file` calls the things of these sections, as far as it can be read."""
    from mlopsgen.source.node import Mapping, Scalar
    from mlopsgen.source.node import Sequence as ListNode

    for section in sections:
        items = _read_at(file, ("spec", section))
        for item in items.items if isinstance(items, ListNode) else ():
            name = item.get("name") if isinstance(item, Mapping) else None
            if isinstance(name, Scalar):
                yield Candidate(name.text, f"one of `{section}`")


def _environments(file: str) -> Iterator[Candidate]:
    """The environments of the pipeline in `file`, as far as it can be read."""
    from mlopsgen.source.node import Mapping

    found = _read_at(file, ("spec", "environments"))
    if isinstance(found, Mapping):
        yield from (Candidate(key.text, f"{key.span}") for key, _ in found.items)
    elif found is not None:
        yield Candidate("default")


def _read_at(file: str, path: tuple[str, ...]) -> Node | None:
    """What stands there in the pipeline, nothing if nothing does; None if it cannot be read."""
    from pathlib import Path

    from mlopsgen.diagnostics.diagnostic import Rejected
    from mlopsgen.source.node import Scalar, find
    from mlopsgen.source.parse import parse
    from mlopsgen.source.read import read

    try:
        node, _, taken = find(parse(read(Path(file), file), file), path)
    except Rejected:
        return None
    return node if taken == len(path) else Scalar(None, node.span, "")


def _reference(current: str) -> Iterator[Candidate]:
    """Codes, and the keys of the language one step below what is typed."""
    from mlopsgen.language.reference import describe, fields
    from mlopsgen.model.pipeline import Pipeline
    from mlopsgen.rules.catalogue import titles

    yield from (Candidate(code, title) for code, title in sorted(titles().items()))
    parent = tuple(current.split(".")[:-1])
    for word in fields(Pipeline, parent):
        path = (*parent, word)
        yield Candidate(".".join(path), describe(Pipeline, path) or "")
