"""What a container sees, runs as and is started with."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from mlopsgen.components.workloads.spec import MountSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.value_hints import as_words
from mlopsgen.language.values import write_size
from mlopsgen.rules.places import each, workloads
from mlopsgen.rules.registry import Scene, rule

SYSTEM = ("/dev", "/proc", "/sys", "/tmp")
"""Folders below which nothing is mounted, but for `/dev/shm` and `/tmp` itself."""


@rule(
    "E225",
    "a place where nothing can be mounted",
    """Each path holds one volume. Below `/proc`, `/sys`, `/dev` and the like lies what the system itself puts
    there; `/dev/shm`, the shared memory, may be mounted. `/tmp` is writable without a volume; one at `/tmp`
    takes its place, and none lies below it.""",
    """
    spec:
      services:
        - name: api
          volumes: [{name: scratch, emptyDir: {}}]
          volumeMounts: [{name: scratch, mountPath: /tmp/scratch}]
    """,
    """
    spec:
      services:
        - name: api
          volumes: [{name: scratch, emptyDir: {}}]
          volumeMounts: [{name: scratch, mountPath: /scratch}]
    """,
)
def mount_paths(scene: Scene) -> Iterable[Finding]:
    """Each path is mounted once, and is none of the system's."""
    for path, workload in workloads(scene):
        seen: dict[str, tuple[SpecPath, MountSpec]] = {}
        for at, mount in each((*path, "volumeMounts"), workload.volume_mounts):
            where = "/" + "/".join(step for step in mount.mount_path.split("/") if step)
            place = (*at, "mountPath")
            first_at, first = seen.setdefault(where, (place, mount))
            if first_at != place:
                message = f"`{where}` is mounted twice"
                also = ((first_at, f"volume `{first.name}`"),)
                yield Finding(place, message, "give each mount a path of its own", also)
            elif {"..", "."} & set(where.split("/")):
                yield Finding(
                    place, f"`{mount.mount_path}` is no plain path", "write it without `.` and `..`"
                )
            elif system := _system(where):
                yield Finding(
                    place, f"nothing is mounted at `{where}`: `{system}` is the system's", _elsewhere(where)
                )


def _system(where: str) -> str | None:
    """The folder of the system that a path is, or lies in."""
    if where in ("/", "/dev/shm", "/tmp"):
        return "/" if where == "/" else None
    return next((folder for folder in SYSTEM if f"{where}/".startswith(f"{folder}/")), None)


def _elsewhere(where: str) -> str:
    if where.startswith("/tmp/"):
        return (
            f"`/tmp` is writable without a volume; mount one elsewhere, such as `/{where.rsplit('/', 1)[1]}`"
        )
    return "mount it elsewhere, such as `/data`"


@rule(
    "E243",
    "one name for two volumes",
    """A mount says by name what it means. A workload's own volume is called neither like one of
    `spec.volumes` nor `tmp`, which is the volume at `/tmp`.""",
    """
    spec:
      volumes: [{name: cache, efs: {}}]
      services:
        - {name: api, volumes: [{name: cache, emptyDir: {}}], volumeMounts: [{name: cache, mountPath: /cache}]}
    """,
    """
    spec:
      volumes: [{name: cache, efs: {}}]
      services:
        - {name: api, volumes: [{name: own, emptyDir: {}}], volumeMounts: [{name: own, mountPath: /own}]}
    """,
)
def volume_names(scene: Scene) -> Iterable[Finding]:
    """Each volume that a workload can mount has a name of its own."""
    shared = {volume.name: path for path, volume in each(("spec", "volumes"), scene.site.spec.volumes)}
    for path, volume in each(("spec", "volumes"), scene.site.spec.volumes):
        if volume.name == "tmp":
            yield Finding((*path, "name"), _TMP, "choose another name")
    for path, workload in workloads(scene):
        for at, space in each((*path, "volumes"), workload.volumes):
            if space.name == "tmp":
                yield Finding((*at, "name"), _TMP, "choose another name")
            elif space.name in shared:
                also = (((*shared[space.name], "name"), "declared here for all"),)
                message = f"`{space.name}` is one of `spec.volumes` already"
                yield Finding((*at, "name"), message, "choose another name", also)


_TMP = "`tmp` is the volume at `/tmp` that every container has"


@rule(
    "E337",
    "a size that a volume cannot have",
    """A volume in memory needs a `sizeLimit`, and takes it from the task's memory, of which the program needs
    a part too. On disk ECS sets no limit: on Fargate it is `resources.ephemeralStorage`, on instances the
    pool's `rootVolume`.""",
    """
    spec:
      services:
        - name: api
          volumes: [{name: shared, emptyDir: {medium: Memory}}]
          volumeMounts: [{name: shared, mountPath: /dev/shm}]
    """,
    """
    spec:
      services:
        - name: api
          volumes: [{name: shared, emptyDir: {medium: Memory, sizeLimit: 512Mi}}]
          volumeMounts: [{name: shared, mountPath: /dev/shm}]
    """,
)
def volume_sizes(scene: Scene) -> Iterable[Finding]:
    """Memory has a size below the task's, disk has none."""
    for path, workload in workloads(scene):
        taken, also = 0, (((*path, "resources", "memory"), "the task's memory"),)
        for at, space in each((*path, "volumes"), workload.volumes):
            spec, place = space.empty_dir, (*at, "emptyDir")
            if spec is None:
                continue
            if spec.medium == "disk":
                if spec.size_limit is not None:
                    help_ = (
                        "take it away; `resources.ephemeralStorage` or the pool's `rootVolume` says the size"
                    )
                    yield Finding((*place, "sizeLimit"), "ECS limits no volume on disk", help_, key=True)
                continue
            if spec.size_limit is None:
                message = f"a volume in memory needs a size: `{space.name}` has none"
                yield Finding(place, message, "say it: `sizeLimit: 512Mi`")
                continue
            taken += spec.size_limit
            if taken >= workload.resources.memory:
                yield Finding(
                    (*place, "sizeLimit"),
                    f"volumes in memory take {write_size(taken)} of the task's "
                    f"{write_size(workload.resources.memory)}: nothing is left for the program",
                    "give the task more `resources.memory`, or the volume less",
                    also if "memory" in workload.resources.model_fields_set else (),
                )


@rule(
    "E227",
    "less safety without a reason",
    """A program that runs as root, or an image built with `python` whose root file system it can write, says
    in `securityContext.reason` why: whoever reviews the file sees it.""",
    "spec: {services: [{name: api, securityContext: {runAsUser: 0}}]}",
    "spec: {services: [{name: api, securityContext: {runAsUser: 0, reason: The image drops root by itself}}]}",
)
def reason_for_less_safety(scene: Scene) -> Iterable[Finding]:
    """Root, and a writable root file system where it need not be, have a reason."""
    built = {image.name for image in scene.site.spec.images if image.dockerfile is None}
    for path, workload in workloads(scene):
        context, at = workload.security_context, (*path, "securityContext")
        if context.reason:
            continue
        if context.run_as_user == 0:
            message = f"`{workload.name}` runs as root, and nobody says why"
            yield Finding((*at, "runAsUser"), message, "say it in `reason`")
        if context.read_only_root_filesystem is False and workload.image in built:
            message = f"`{workload.name}` can change its own program, and nobody says why"
            yield Finding(
                (*at, "readOnlyRootFilesystem"), message, "say it in `reason`, or mount an `emptyDir`"
            )


# What says where code is found that a program did not name: ld.so(8), "Environment"; "Python Setup and Usage",
# "Environment variables"; Bash reference manual, "Bash Variables"; perlrun(1); Ruby's and Node.js's manuals.
_LOADERS = frozenset({
    "BASH_ENV", "ENV", "GCONV_PATH", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_PRELOAD", "NODE_PATH", "PATH",
    "PERL5LIB", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "RUBYLIB",
})  # fmt: skip


@rule(
    "E121",
    "code from where the task can write",
    """`LD_PRELOAD`, `PYTHONPATH`, `PATH` and their like say where code is found. An allocator or a driver of
    the image is loaded so by right. A folder that the task itself can write, such as `/tmp` or a volume that
    is not `readOnly`, would let whatever gets written there run as the program, and undo that its root file
    system is read-only. A secret is no place for a path of code either: nobody sees it in a review.""",
    "spec: {services: [{name: api, env: {PYTHONPATH: '/srv:/tmp/plugins'}}]}",
    "spec: {services: [{name: api, env: {LD_PRELOAD: /usr/lib/x86_64-linux-gnu/libjemalloc.so.2}}]}",
)
def code_from_writable_places(scene: Scene) -> Iterable[Finding]:
    """Code is found where the task cannot write."""
    for path, workload in workloads(scene):
        mounts = [mount.mount_path for mount in workload.volume_mounts if not mount.read_only]
        writable = [posixpath.normpath(each) for each in ("/tmp", "/dev/shm", *mounts)]
        for name in sorted(_LOADERS & workload.env.keys()):
            steps = (posixpath.normpath(each) for each in re.split("[:; ]", workload.env[name]) if each)
            for step in steps:
                where = next((each for each in writable if f"{step}/".startswith(f"{each}/")), None)
                if where:
                    yield Finding(
                        (*path, "env", name),
                        f"`{name}` finds code in `{step}`, where the task can write",
                        "lay the code into the image, or mount the volume with `readOnly: true`",
                    )
                    break
        for name in sorted(_LOADERS & workload.secrets.keys()):
            message = f"`{name}` says where code is found, and a secret hides it from reviews"
            yield Finding((*path, "secrets", name), message, "write it in `env`", key=True)


@rule(
    "E228",
    "a command that cannot be started",
    """`command` is what is started, in place of the image's ENTRYPOINT, as in Kubernetes. Compose, Copilot and
    ECS call the words after it so; here they are `args`. Its first word is a program, also that of an image's
    `python.command`: no shell takes a line apart, so that each word stands by itself.""",
    "spec: {services: [{name: api, command: [--workers, '2']}]}",
    "spec: {services: [{name: api, args: [--workers, '2']}]}",
)
def startable(scene: Scene) -> Iterable[Finding]:
    """What is started is a program: no option, and no whole line."""
    for path, workload in workloads(scene):
        if workload.command and workload.command[0].startswith("-"):
            message = f"`{workload.command[0]}` cannot be started"
            yield Finding((*path, "command"), message, "write `args`: what the image starts stays", key=True)
    for path, command in _commands(scene):
        if len(command) == 1 and len(command[0].split()) > 1:
            message = f"`{command[0]}` is a whole line, and the name of no program"
            yield Finding((*path, 0), message, as_words(command[0]))
    for path, workload in workloads(scene):
        check = getattr(workload, "health_check", None)
        if check is not None and check.command and check.command[0].startswith("-"):
            help_ = "begin with the program: ECS starts it beside the image's own, and adds nothing"
            yield Finding(
                (*path, "healthCheck", "command", 0), f"`{check.command[0]}` cannot be started", help_
            )
    for path, image in each(("spec", "images"), scene.site.spec.images):
        words = image.python.command if image.python else ()
        if words and words[0].startswith("-"):
            help_ = "begin with the program, such as `[python, -m, PACKAGE]`"
            yield Finding((*path, "python", "command", 0), f"`{words[0]}` cannot be started", help_)


def _commands(scene: Scene) -> Iterator[tuple[SpecPath, tuple[str, ...]]]:
    """Every command of the spec: of images, of containers, and of their checks."""
    for path, image in each(("spec", "images"), scene.site.spec.images):
        if image.python:
            yield (*path, "python", "command"), image.python.command
    for path, workload in workloads(scene):
        yield (*path, "command"), workload.command
        check = getattr(workload, "health_check", None)
        if check is not None:
            yield (*path, "healthCheck", "command"), check.command


@rule(
    "E274",
    "a port that cannot be called so",
    """A service that calls another one takes its address from `${calls.NAME.PORT}`, where `host` and `port`
    are the two halves of the address. No port has such a name.""",
    """
    spec:
      services: [{name: api, ports: [{name: port, port: 9000}]}]
    """,
    """
    spec:
      services: [{name: api, ports: [{name: admin, port: 9000}]}]
    """,
)
def port_names(scene: Scene) -> Iterable[Finding]:
    """`host` and `port` are halves of an address."""
    for path, workload in workloads(scene):
        for at, port in each((*path, "ports"), getattr(workload, "ports", ())):
            if port.name in ("host", "port"):
                message = f"no port is called `{port.name}`, which is one half of an address"
                yield Finding((*at, "name"), message, "name what it is for, such as `admin`")


@rule(
    "E275",
    "a command that starts with Docker's `CMD`",
    """The command of a health check is the program and its arguments, each a word. ECS's own `CMD` is put
    before them; a shell is `[sh, -c, …]`.""",
    """
    spec:
      services: [{name: api, healthCheck: {command: [CMD-SHELL, "test -f /tmp/alive"]}}]
    """,
    """
    spec:
      services: [{name: api, healthCheck: {command: [sh, -c, "test -f /tmp/alive"]}}]
    """,
)
def check_words(scene: Scene) -> Iterable[Finding]:
    """`CMD` and `CMD-SHELL` would be taken for programs."""
    for path, workload in workloads(scene):
        check = getattr(workload, "health_check", None)
        words: tuple[str, ...] = check.command if check else ()
        if words[:1] in (("CMD",), ("CMD-SHELL",)):
            text = "write the words after it" if words[0] == "CMD" else "write `sh`, `-c` in its place"
            yield Finding((*path, "healthCheck", "command", 0), f"`{words[0]}` is no program", text)
