"""Runs a program in a terminal and types an answer: terminal.py QUESTION ANSWER PROGRAM ARGUMENT...

What the terminal shows goes to standard output; the exit status is the program's. TERMINAL_COLUMNS is its width,
else it is 120.
"""

import fcntl
import os
import pty
import signal
import struct
import sys
import termios

question, answer, *command = sys.argv[1:]
# A program that never asks, or never ends, must not keep the test waiting. The terminal goes with this process.
signal.alarm(240)
program, terminal = pty.fork()
if program == 0:
    columns = int(os.environ.get("TERMINAL_COLUMNS", "120"))
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    os.execv(command[0], command)
shown = b""
asked = False
while True:
    try:
        shown += os.read(terminal, 65536)
    except OSError:  # EIO: nobody has the terminal open any more
        break
    if not asked and question.encode() in shown:
        os.write(terminal, answer.encode())
        asked = True
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(program, 0)[1]))
