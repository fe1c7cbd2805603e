"""A thin load generator for Socket.IO: the options, rules and JSON of `roomcast bench`, less the latencies.

Python is slow, but what is compared is the server's CPU time for a delivery, and Socket.IO needs several times as much
for one as this does: only the frames of those who get a message last are looked at. That holds while the server is
kept busy; one that is faster than this would be woken for each message, and look worse than it is; so there is no
echo here. `generator.saturated` says when this was the bottleneck.

With --dialect action it asks the other peers, as a check of its figures against those of `roomcast bench`.
"""
import argparse
import base64
import collections
import itertools
import json
import os
import resource
import select
import socket
import sys
import time

PATIENCE = 30  # seconds


def seconds_of(text):
    return float(text[:-2]) / 1e3 if text.endswith("ms") else float(text.removesuffix("s"))


parser = argparse.ArgumentParser()
parser.add_argument("--mode", choices=["room", "pairs", "idle"], default="room")
for option, default in {"members": 1000, "senders": 1, "payload": 64, "window": 1, "pid": None}.items():
    parser.add_argument(f"--{option}", type=int, default=default)
parser.add_argument("--duration", type=seconds_of, default=5.0)
parser.add_argument("--warmup", type=seconds_of, default=1.0)
parser.add_argument("--dialect", choices=["socketio", "action"], default="socketio")
parser.add_argument("--json", action="store_true")  # there is no other form
parser.add_argument("url")
options = parser.parse_args()
is_socketio, mode = options.dialect == "socketio", options.mode
address = options.url.removeprefix("ws://").split("/")[0]


def frame(payload):
    """A client's text frame; the mask is zero, which costs the server just as much."""
    size = len(payload)
    header = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
    return header + bytes(4) + payload.encode()


def request(action, **fields):
    compact = {"separators": (",", ":")}
    if not is_socketio:
        return frame(json.dumps({"action": action, **fields}, **compact))
    return frame("42" + json.dumps([action, fields], **compact))


def frames(buffer):
    """The beginnings of the complete frames in the buffer, each taken out of it."""
    while len(buffer) >= 2:
        size, payload = buffer[1], 2
        if size == 126:
            size, payload = int.from_bytes(buffer[2:4], "big"), 4
        if len(buffer) < payload + size:
            break
        text = bytes(buffer[payload : payload + min(size, 64)])
        del buffer[: payload + size]
        yield text


class Member:
    def __init__(self):
        self.socket = socket.create_connection(address.split(":"), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        key = base64.b64encode(os.urandom(16)).decode()
        path = "/socket.io/?EIO=4&transport=websocket" if is_socketio else "/chatserver/connect"
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())

    def until(self, wanted):
        while not any(wanted(text) for text in frames(self.buffer)):
            self.buffer += self.more()

    def more(self):
        return self.socket.recv(1 << 18) or sys.exit("the server closed a connection")

    def welcome(self):
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.more()
        del self.buffer[: self.buffer.index(b"\r\n\r\n") + 4]
        if is_socketio:
            self.until(lambda text: text.startswith(b"0{"))
            self.socket.sendall(frame("40"))
            self.until(lambda text: text.startswith(b"40"))
        self.until(lambda text: b"connection" in text)


def server():
    """CPU seconds so far, user and system, and resident bytes."""
    if options.pid is None:
        return 0.0, 0.0, 0
    with open(f"/proc/{options.pid}/stat") as stat, open(f"/proc/{options.pid}/status") as status:
        fields = stat.read().rpartition(")")[2].split()
        kibibytes = next(line.split()[1] for line in status if line.startswith("RssAnon:"))
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick, int(kibibytes) * 1024


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
before = server()
members = []
while len(members) < options.members:  # in groups, so that no backlog overflows
    group = [Member() for _ in range(min(100, options.members - len(members)))]
    for member in group:
        member.welcome()
    members += group
time.sleep(0.5)
idle = server()

if mode in ("room", "pairs"):
    for first in range(0, len(members), 100):
        for index, member in enumerate(members[first : first + 100], first):
            member.socket.sendall(request("join", room=f"r{index // 2}" if mode == "pairs" else "r"))
        for member in members[first : first + 100]:
            member.until(lambda text: b"join" in text and b"user_id" not in text)

epoll = select.epoll()
by_descriptor = {member.socket.fileno(): member for member in members}
for member in members:
    member.socket.setblocking(False)
    epoll.register(member.socket, select.EPOLLIN)
asked = request("room_message", message="x" * options.payload)
senders = {"room": members[: options.senders], "pairs": members[::2], "idle": []}[mode]
# Who has a message last tells that all have it: a room's members are served in the order of joining, and of a pair the
# sender gets its reply first.
last = {"room": members[-1:], "pairs": members[1::2], "idle": []}[mode]
answers = {member.socket.fileno(): sender for member, sender in zip(last, senders)}
deliveries_of_message = len(members) if mode == "room" else 2
turns = itertools.cycle(senders)


def say(member, times):
    member.socket.setblocking(True)
    member.socket.sendall(asked * times)
    member.socket.setblocking(False)


def load(seconds):
    """Sends for so long, each message that has arrived making room for the next, until all have arrived; how many."""
    for member in senders:
        say(member, options.window)
    outstanding, arrived, until = len(senders) * options.window, 0, time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 or outstanding > 0:
        events = epoll.poll(left if left > 0 else PATIENCE, 1024)
        if not events and left <= 0:
            sys.exit("the server has not answered for too long")
        for descriptor, _ in events:
            member = by_descriptor[descriptor]
            try:
                data = member.more()
            except BlockingIOError:
                continue
            if descriptor not in answers:
                continue
            member.buffer += data
            count = sum(1 for _ in frames(member.buffer))
            arrived += count
            if time.monotonic() > until:
                outstanding -= count
            elif mode == "room":
                for sender, times in collections.Counter(itertools.islice(turns, count)).items():
                    say(sender, times)
            elif count:
                say(answers[descriptor], count)
    return arrived


load(options.warmup)
start, own_start, clock = server(), time.process_time(), time.monotonic()
messages = load(options.duration)
seconds = time.monotonic() - clock
deliveries = messages * deliveries_of_message
end, own = server(), (time.process_time() - own_start) / seconds


def per_million(cpu):
    return cpu / deliveries * 1e6 if deliveries else None


user, system = end[0] - start[0], end[1] - start[1]
print(json.dumps({
    "mode": mode, "members": options.members, "senders": len(senders), "payload": options.payload,
    "window": options.window, "seconds": seconds, "messages": messages, "deliveries": deliveries,
    "deliveries_per_second": deliveries / seconds, "latency_us": None,
    "generator": {"cpu_fraction": own, "saturated": own > 0.9},
    "server": {
        "cpu_s_per_million": per_million(user + system), "user_s_per_million": per_million(user),
        "system_s_per_million": per_million(system),
        "resident_bytes": {"before": before[2], "idle": idle[2], "end": end[2]},
        "bytes_per_idle_connection": (idle[2] - before[2]) / options.members,
        "cpu_us_per_connection": (sum(idle[:2]) - sum(before[:2])) / options.members * 1e6,
    },
}))
