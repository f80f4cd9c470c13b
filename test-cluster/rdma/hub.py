#!/usr/bin/env python3
"""Joins guests by a private hub; run-cluster.sh uses it.

hub.py --drop P --delay MS --seed S RUN_GUEST_WORD... -- COMMAND_1 -- COMMAND_2 ...

Each command is run in a guest of its own, by the words before the first `--` and `--id I --network FD -- COMMAND`. What
the guests print is shown with a prefix. Their frames go over pairs of unix sockets, and never over a network of the
host. The exit code is that of the first guest, in their order, that failed.
"""

import argparse
import contextlib
import heapq
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time

BUFFER_BYTES = 4 << 20
FRAME_BYTES = 70_000
# Frames on the way when there is a delay; more are dropped, as a switch would.
MAX_WAITING = 50_000
WAKE_UP_SECONDS = 1.0


class Hub:
    """Sends each frame on to the guest it is addressed to, or to all others, late or not at all."""

    def __init__(self, ports, drop, delay_seconds, chance):
        self.ports = ports
        self.drop = drop
        self.delay_seconds = delay_seconds
        self.chance = chance
        self.frames = self.dropped = self.overflown = 0
        self.waiting = []
        self.closed = False

    def run(self):
        """Until it is closed; in a thread of its own."""
        while not self.closed:
            due = self.waiting[0][0] - time.monotonic() if self.waiting else WAKE_UP_SECONDS
            for port in select.select(self.ports, [], [], max(0.0, min(due, WAKE_UP_SECONDS)))[0]:
                self.receive(port)
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                _, _, port, frame = heapq.heappop(self.waiting)
                self.send_on(port, frame)

    def receive(self, port):
        try:
            frame = port.recv(FRAME_BYTES)
        except OSError:
            return
        self.frames += 1
        if self.chance.random() < self.drop:
            self.dropped += 1
        elif self.delay_seconds == 0:
            self.send_on(port, frame)
        elif len(self.waiting) >= MAX_WAITING:
            self.overflown += 1
        else:
            # The number keeps frames of one moment in their order.
            heapq.heappush(self.waiting, (time.monotonic() + self.delay_seconds, self.frames, port, frame))

    def send_on(self, source, frame):
        # The last byte of a guest's address is its number; a set lowest bit in the first means several receivers.
        to_many = frame[0] & 1
        for number, port in enumerate(self.ports, 1):
            if port is not source and (to_many or frame[5] == number):
                try:
                    port.send(frame, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    self.overflown += 1
                except OSError:
                    # That guest has ended.
                    pass


def show(number, lines):
    for line in lines:
        sys.stdout.write(f"{number}| {line.decode(errors='replace').rstrip()}\n")
        sys.stdout.flush()


def start(number, run_guest, command, port):
    guest = subprocess.Popen(
        [*run_guest, "--id", str(number), "--network", str(port.fileno()), "--", *command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[port.fileno()])
    port.close()
    shower = threading.Thread(target=show, args=(number, guest.stdout))
    shower.start()
    return guest, shower


def split(words):
    """The words between the `--`."""
    parts = [[]]
    for word in words:
        if word == "--":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def stop(guests):
    for guest, _ in guests:
        with contextlib.suppress(ProcessLookupError):
            guest.terminate()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--drop", type=float, required=True)
    parser.add_argument("--delay", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("words", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    run_guest, *commands = split(options.words)

    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in commands]
    for end in (end for pair in pairs for end in pair):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    hub = Hub([ours for ours, _ in pairs], options.drop, options.delay / 1000, random.Random(options.seed))
    pump = threading.Thread(target=hub.run, daemon=True)
    pump.start()

    guests = [start(number, run_guest, command, theirs)
              for number, (command, (_, theirs)) in enumerate(zip(commands, pairs), 1)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        # Each ends by itself: run-guest.sh sees to it.
        codes = [guest.wait() for guest, _ in guests]
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        stop(guests)
        for guest, shower in guests:
            guest.wait()
            shower.join()
        hub.closed = True
        pump.join()
    for number, code in enumerate(codes, 1):
        print(f"guest {number}: exit code {code}")
    print(f"hub: {hub.frames} frames, {hub.dropped} dropped by chance, {hub.overflown} for want of room")
    sys.stdout.flush()
    return next((code for code in codes if code != 0), 0)


if __name__ == "__main__":
    sys.exit(main())
