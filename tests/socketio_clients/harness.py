"""What the conversations of python-socketio share: checks, and sockets that keep what they were told.

A conversation is written once, as a coroutine: calls of the synchronous Client run in threads. A check that fails ends
the run; nothing sleeps but where silence is the thing to be seen.
"""

import asyncio
import json
import os
import re
import sys
import time
from urllib.parse import urlsplit

import socketio

PATIENCE = 10
SILENCE = 0.3
WATCHDOG = 60
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}
NOWHERE = "5a2f8c1e-7b3d-4e6a-9f10-c4d5e6f7a8b9"
NO_MESSAGE = "999999999"

checks = 0


class Failure(Exception):
    """Something else came than was expected."""


# What a wanted value may be besides itself.
def is_time(got):
    return isinstance(got, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", got) is not None


def is_text(got):
    return isinstance(got, str) and got != ""


def is_uuid(got):
    return isinstance(got, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", got) is not None


def is_count(got):
    return type(got) is int and got >= 0


def is_absent(got):
    return got is None


def fits(got, wanted):
    """Whether `got` has all that is wanted; fields that nobody asked for are ignored."""
    if callable(wanted):
        return wanted(got)
    if isinstance(wanted, list):
        return isinstance(got, list) and len(got) == len(wanted) and all(map(fits, got, wanted))
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(fits(got.get(key), item) for key, item in wanted.items())
    return type(got) is type(wanted) and got == wanted


def shown(value):
    return json.dumps(value, ensure_ascii=False, default=lambda item: f"<{getattr(item, '__name__', 'fitting')}>")


def check(what, got, wanted):
    global checks
    if not fits(got, wanted):
        raise Failure(f"expected {shown(wanted)} got {shown(got)} ({what})")
    checks += 1
    print("ok", what, flush=True)


async def in_time(what, awaitable, patience=PATIENCE):
    try:
        return await asyncio.wait_for(awaitable, patience)
    except asyncio.TimeoutError:
        raise Failure(f"expected {what} got nothing within {patience} s") from None


async def quiet(what, *tabs):
    """Nothing is on its way to these tabs, and nothing was left unread."""
    await asyncio.sleep(SILENCE)
    for tab in tabs:
        check(f"{tab.name} is told nothing: {what}", tab.events, [])


def elapsed(what, start, least, most):
    """Such a time has passed since `start`. Grace and timers are seconds, so the bounds are generous."""
    took = time.monotonic() - start

    def between(got):
        return least <= got <= most

    between.__name__ = f"{least} to {most} s"
    check(what, took, between)


async def refused_alike(tab, requests):
    """All the requests are refused, and in the same words whether they name something real or not."""
    for event, real, unreal in requests:
        refusal = await tab.no(event, real)
        check(f"{event}: what is hidden and what is not there are refused alike", await tab.ask(event, unreal), refusal)


class Line:
    """A way to the server that can be cut."""

    def __init__(self, url):
        self.far = urlsplit(url)
        self.down = False
        self.ends = []

    async def open(self):
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _pass_on(self, reader, writer):
        if self.down:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self.far.hostname, self.far.port)
        self.ends += [writer, far_writer]
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    def cut(self):
        self.down = True
        for end in self.ends:
            end.transport.abort()
        self.ends.clear()

    def mend(self):
        self.down = False


async def pump(reader, writer):
    try:
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    writer.close()


class Tab:
    """One connection of a user, as one tab of a browser has it."""

    def __init__(self, world, name):
        self.world, self.name = world, name
        self.events, self.lifecycle = [], []
        self.arrival = asyncio.Event()
        loop = asyncio.get_running_loop()
        kind = socketio.AsyncClient if world.kind == "asyncio" else socketio.Client
        self.client = kind(
            handle_sigint=False, reconnection_delay=1, reconnection_delay_max=1, randomization_factor=0
        )

        def listen(event, kept):
            # As programs write their handlers: of one argument. One more would be a TypeError, and the message lost.
            def handler(*arguments):
                if kept is self.events and len(arguments) != 1:
                    arguments = [f"{len(arguments)} arguments: {arguments}"]
                loop.call_soon_threadsafe(self._arrived, kept, event, *arguments[:1])

            self.client.on(event, handler, namespace=world.namespace)

        # The other vocabulary's events, sent to a socket that has not spoken yet, have no handler.
        for event in world.vocabulary:
            listen(event, self.events)
        for event in ("connect", "connect_error", "disconnect"):
            listen(event, self.lifecycle)

    def _arrived(self, kept, event, payload=None):
        kept.append((event, payload))
        self.arrival.set()

    async def _next(self, kept, event):
        while True:
            for place, (name, payload) in enumerate(kept):
                if name == event:
                    del kept[place]
                    return payload
            self.arrival.clear()
            await self.arrival.wait()

    async def _do(self, method, *arguments, **named):
        if self.world.kind == "asyncio":
            return await method(*arguments, **named)
        return await asyncio.to_thread(method, *arguments, **named)

    async def connect(self, token, url):
        world = self.world
        await in_time(f"an answer to {self.name}", self._do(
            self.client.connect, url, auth={"token": token}, transports=TRANSPORTS[world.mode],
            namespaces=[world.namespace], wait_timeout=5,
        ))

    @classmethod
    async def open(cls, world, name, url):
        """Connected, and over the transport that was asked for."""
        tab = cls(world, name)
        await tab.connect(world.users[name]["token"], url)
        await tab.connected()
        return tab

    async def connected(self):
        await in_time(f"a connection of {self.name}", self._next(self.lifecycle, "connect"))
        wanted = "polling" if self.world.mode == "polling" else "websocket"
        check(f"{self.name} is connected over {wanted}", self.client.transport(), wanted)

    async def gone(self):
        await in_time(f"the end of {self.name}'s connection", self._next(self.lifecycle, "disconnect"))

    async def told(self, event, wanted):
        """The next event of that name."""
        payload = await in_time(f"{event} {shown(wanted)} at {self.name}", self._next(self.events, event))
        check(f"{self.name} is told {event}", payload, wanted)
        return payload

    async def emit(self, event, payload):
        """Sends without asking for an acknowledgement."""
        await self._do(self.client.emit, event, payload, namespace=self.world.namespace)

    async def ask(self, event, payload):
        """Asks with an acknowledgement, and returns that."""
        try:
            return await self._do(self.client.call, event, payload, namespace=self.world.namespace, timeout=PATIENCE)
        except socketio.exceptions.TimeoutError:
            raise Failure(f"expected an acknowledgement of {event} at {self.name} got nothing") from None

    async def ok(self, event, payload, **wanted):
        """Asks and is granted it."""
        ack = await self.ask(event, payload)
        check(f"{self.name} may {event}", ack, {"ok": True, **wanted})
        return ack

    async def no(self, event, payload):
        """Asks and is refused it."""
        ack = await self.ask(event, payload)
        check(f"{self.name} may not {event}", ack, {"ok": False, "code": is_text, "error": is_text})
        return ack

    async def close(self):
        await self._do(self.client.disconnect)
        await self.gone()


async def bad_token(world):
    """A token that nobody signed is refused, with a code to tell why."""
    stranger = Tab(world, "stranger")
    try:
        await stranger.connect("not.a.token", world.near)
        raise Failure("expected a refusal of a bad token got a connection")
    except socketio.exceptions.ConnectionError:
        pass
    refusal = await in_time("connect_error", stranger._next(stranger.lifecycle, "connect_error"))
    check("a bad token is refused", refusal, {"message": is_text, "data": {"code": "unauthorized"}})


class World:
    """The script's arguments: two URLs, transport, namespace, file with the users and chats, sync or asyncio."""

    def __init__(self, vocabulary, arguments):
        self.near, self.far, self.mode, self.namespace, file, self.kind = arguments
        self.vocabulary = vocabulary
        with open(file, encoding="utf-8") as settings:
            settings = json.load(settings)
        self.users, self.tea = settings["users"], settings["chats"]["tea"]


async def to_the_end(conversation, world):
    try:
        await in_time("the end of the conversation", conversation(world), WATCHDOG)
        print(f"done {checks} checks", flush=True)
        return 0
    except Failure as failure:
        print(f"FAIL: {failure}", flush=True)
    except Exception as error:
        print(f"FAIL: expected no exception got {error!r}", flush=True)
    return 1


def run(conversation, vocabulary):
    """Runs a conversation to its end, and the process with it: threads of a client may hang in a read."""
    world = World(vocabulary, sys.argv[1:])

    async def whole():
        os._exit(await to_the_end(conversation, world))

    asyncio.run(whole())
