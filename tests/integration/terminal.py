# SPDX-License-Identifier: Apache-2.0
"""A terminal with sbrun on its other side."""
import fcntl
import os
import pty
import struct
import subprocess
import termios

import lib


class Terminal:
    """A terminal with sbrun on its other side, as the leader of a session of its own."""

    def __init__(self, sbrun, *args, rows=33, columns=77, **options):
        self.master, self.slave = pty.openpty()
        self.ahead = b""  # shown, but not asked for yet
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        streams = {"stdin": self.slave, "stdout": self.slave, "stderr": self.slave}
        self.client = subprocess.Popen([lib.BIN, *args], env=sbrun.env, start_new_session=True,
                                       preexec_fn=self._take, **{**streams, **options})

    def _take(self):
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def resize(self, rows, columns):
        """Change the size; the kernel then sends SIGWINCH to what is in the foreground."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        """Press keys."""
        os.write(self.master, text.encode())

    def until(self, text):
        """Return what is shown up to and with @text; the next call goes on behind it."""
        if text.encode() not in self.ahead:
            self.ahead += lib.read_until(self.master, text.encode())
        end = self.ahead.index(text.encode()) + len(text.encode())
        shown, self.ahead = self.ahead[:end], self.ahead[end:]
        return shown.decode("utf-8", "replace")

    def end(self):
        """Wait for sbrun, which must leave the terminal as it was; return its exit code."""
        code = self.client.wait(lib.TIMEOUT_S)
        assert termios.tcgetattr(self.slave) == self.before
        return code

    def rest(self):
        """Return everything shown until sbrun has closed the terminal."""
        os.close(self.slave)
        self.slave, shown = -1, self.ahead
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # EIO: nobody has it open any more
                return shown.decode("utf-8", "replace")
            shown += data

    def close(self):
        """Take the terminal away."""
        self.client.kill()
        self.client.wait()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)
