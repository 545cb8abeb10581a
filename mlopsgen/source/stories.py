"""What the codes of reading mean: the text of a file, before anything of the language is looked at."""

from __future__ import annotations

from mlopsgen.diagnostics.finding import Story, story

STORIES: dict[str, Story] = {
    "E001": story(
        "the file is not YAML in UTF-8",
        """The text cannot be read: a byte that is not UTF-8, a control character, or something that YAML's
        grammar does not allow at that place. Most often a quote or a bracket is not closed, a tab stands
        where spaces indent, or a value that starts with `@`, `*`, `%` or holds `: ` needs quotes.""",
        "metadata: {name: demo",
        "metadata: {name: demo}",
    ),
    "E002": story(
        "the file is too large",
        """A pipeline is at most 4 MiB of text. That is room for more than ten thousand services; a larger
        file is most likely not a pipeline at all. Split it in several pipelines.""",
    ),
    "E003": story(
        "nested too deeply, or too large once aliases are followed",
        """A file may be 64 levels deep and hold a million values, where every alias counts as what it stands
        for. This keeps a few lines from growing into gigabytes.""",
    ),
    "E004": story(
        "more than one document",
        "A file holds one pipeline: a second `---` would begin another. Put it into a file of its own.",
        """
        metadata: {name: demo}
        ---
        metadata: {name: second}
        """,
        "metadata: {name: demo}",
    ),
    "E005": story(
        "an alias without its anchor",
        "`*name` repeats what was marked with `&name` earlier in the file, and nothing is.",
        """
        metadata: {name: demo, labels: *common}
        """,
        """
        metadata: {name: demo, labels: {team: time-series}}
        """,
    ),
    "E006": story(
        "a tag of YAML",
        """Tags such as `!Ref` or `!!python/object` mean nothing in a pipeline. CloudFormation's functions
        can be given in a patch in their long form, `{"Fn::GetAtt": [Key, Arn]}`.""",
        "metadata: {name: !Ref Name}",
        "metadata: {name: demo}",
    ),
    "E007": story(
        "a key that is no string",
        "A list or a map cannot be a key.",
        "metadata: {[a, b]: c}",
        "metadata: {name: demo}",
    ),
    "E008": story(
        "a merge key",
        """`<<` was an extension of YAML 1.1 and is not part of the language. Write the values out, or say once
        in the base what environments share: an environment lists only what differs.""",
        """
        metadata: {<<: {name: demo}}
        """,
        "metadata: {name: demo}",
    ),
    "E009": story(
        "a key given twice",
        """Of two equal keys in one map most readers of YAML keep the last without a word. Here it is an
        error, since one of the two values is not what its author thinks.""",
        "metadata: {name: demo, name: other}",
        "metadata: {name: demo}",
    ),
    "E010": story(
        "the file cannot be read",
        """There is no such file, it is a folder, or it may not be read. Commands read `pipeline.yaml` in the
        current folder; `-f FILE` names another, and `mlopsgen init NAME` starts a new project. A pipe, a
        device or a socket is not read: a pipeline lies beside the programs that it names, and is read more
        than once.""",
    ),
    "E011": story(
        "white space that only looks like a space",
        """A no-break space, an em space or a line separator looks like a space or the end of a line, and is
        neither: YAML and every program take it for a letter. They come with text from web pages and chats,
        and from Option and Space on a Mac. Between letters of other scripts than Latin, as in Japanese, they
        are spelling and stay.""",
        r'spec: {services: [{name: api, image: app, args: ["--mode\_fast"]}]}',
        "spec: {services: [{name: api, image: app, args: [--mode, fast]}]}",
    ),
    "E012": story(
        "a character that nobody sees",
        """Marks that turn the direction of a line, spaces without width and control characters show nothing:
        who reviews the pipeline, or what is generated from it, reads something else than what is there
        (CVE-2021-42574). They are refused in every value, and marks of direction in comments too. Joiners
        between letters of other scripts than Latin, and in emoji, are spelling and stay.""",
        r'spec: {services: [{name: api, image: app, env: {MODE: "safe\u202E"}}]}',
        "spec: {services: [{name: api, image: app, env: {MODE: safe}}]}",
    ),
}
