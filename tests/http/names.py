"""Names that lead where a test says, for our HTTP client: libcurl has its own way to find them."""

from contextlib import contextmanager

import pycurl
import pytest

REAL = pycurl.Curl


@contextmanager
def leading(name, port, to):
    """Let connections to a name and port be made to the port `to` of this machine."""

    def made():
        line = REAL()
        line.setopt(pycurl.CONNECT_TO, [f"{name}:{port}:127.0.0.1:{to}"])
        return line

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pycurl, "Curl", made)
        yield


def unreached(sought):
    """Return what stands for libcurl where nobody may be reached; it notes each URL asked for."""

    class Unreached(REAL):
        def setopt(self, option, value):
            if option == pycurl.URL and value:
                sought.append(value)
            super().setopt(option, value)

        def perform(self):
            raise pycurl.error(pycurl.E_COULDNT_CONNECT, "nobody is reached in this test")

    return Unreached
