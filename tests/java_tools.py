"""Programs of others that run on Java: built once by Maven, started by the tests that need them."""

import shutil
from pathlib import Path

BUILT = Path(__file__).parents[1] / ".cache" / "java"
BUILD = "mvn -q -f tests/conformance/java clean package"
LEAN = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")


def lacking():
    """Return what is missing to run them, and what to do; None when all is there."""
    if shutil.which("java") is None:
        return "Java is not installed: apt-get install default-jdk-headless maven"
    built = all((BUILT / name).is_dir() for name in ("classes", "lib"))
    return None if built else f"the Java tools are not built: {BUILD}"


def command(main, memory, *arguments, classes=()):
    """Return the command line of one of the tools; short start before long speed.

    `classes` are folders of the class path beside its own.
    """
    path = ":".join(map(str, [BUILT / "classes", BUILT / "lib" / "*", *classes]))
    return ["java", f"-Xmx{memory}", *LEAN, "-cp", path, f"tools.{main}", *arguments]
