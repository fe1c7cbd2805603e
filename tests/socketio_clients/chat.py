"""The chat vocabulary, from the first connection to the last:
python chat.py NEAR FAR websocket|polling|upgrade NAMESPACE FILE sync|asyncio
NEAR and FAR are the URLs of two ways to the server, perhaps to two nodes. Alice has a connection by either.
"""

import time

from harness import (
    NO_MESSAGE, NOWHERE, Line, Tab, bad_token, check, elapsed, is_absent, is_count, is_text, is_time, is_uuid, quiet,
    refused_alike, run,
)

VOCABULARY = [
    "user:status", "message:new", "message:read", "message:edited", "message:deleted", "message:reaction",
    "typing:start", "typing:stop", "call:signal", "chat:new", "error",
]


class Chat:
    def __init__(self, world):
        self.world = world
        self.tea = world.tea["uuid"]
        self.names = {name: user["name"] for name, user in world.users.items()}
        self.ids = {name: user["uuid"] for name, user in world.users.items()}

    async def everyone(self, event, wanted):
        for tab in (self.alice, self.second, self.bob):
            await tab.told(event, wanted)

    async def arrive(self):
        """Bob, carol, and two tabs of alice. Carol shares no chat with them."""
        self.line = Line(self.world.far)
        self.way = await self.line.open()
        self.bob = await Tab.open(self.world, "bob", self.world.near)
        self.carol = await Tab.open(self.world, "carol", self.world.far)
        self.alice = await Tab.open(self.world, "alice", self.way)
        await self.bob.told("user:status", {"userId": self.ids["alice"], "status": "online"})
        self.second = await Tab.open(self.world, "alice", self.world.near)
        await quiet("a second tab is no news", self.bob, self.carol, self.alice, self.second)
        tea = {"id": self.tea, "name": "tea", "unread": 0, "updated_at": is_time, "last_message": is_absent}
        await self.bob.ok("chat:list", {}, chats=[tea])
        await self.carol.ok("chat:list", {}, chats=[])
        for tab in (self.alice, self.second, self.bob):
            await tab.ok("chat:join", {"chatId": self.tea})

    async def say(self, tab, tabs, chat, content, **more):
        """Sends, and all the tabs given are told. Returns the acknowledgement."""
        ack = await tab.ok("message:send", {"chatId": chat, "content": content, **more},
                           id=is_text, created_at=is_time, delivered=is_count)
        sender = {"id": self.ids[tab.name], "username": self.names[tab.name]}
        shown_chat = self.tea if chat in (self.world.tea["id"], str(self.world.tea["id"])) else chat
        for each in tabs:
            await each.told("message:new", {
                "id": ack["id"], "chat_id": shown_chat, "content": content, "message_type": is_text, "file": None,
                "sender": sender, "created_at": ack["created_at"],
            })
        return ack

    async def talk(self):
        tabs = (self.alice, self.second, self.bob)
        sent = await self.say(self.alice, tabs, self.tea, "päivää 👋", messageType="text", clientId="first")
        check("delivered counts sockets", sent["delivered"], lambda got: got in (2, 3))
        self.first = sent["id"]
        again = {"chatId": self.tea, "content": "päivää 👋", "clientId": "first"}
        await self.alice.ok("message:send", again, id=self.first, created_at=sent["created_at"])
        await quiet("a repeat, and not their chat", *tabs, self.carol)
        # The integer id of the chat does as well, also as a string.
        await self.say(self.bob, tabs, self.world.tea["id"], "hello")
        await self.say(self.bob, tabs, str(self.world.tea["id"]), "tea?")

    async def refuse(self):
        """Carol can neither do anything in the chat nor tell it from one that does not exist."""

        def in_chat(event, **more):
            return event, {"chatId": self.tea, **more}, {"chatId": NOWHERE, **more}

        def of_message(event, **more):
            return event, {"messageId": self.first, **more}, {"messageId": NO_MESSAGE, **more}

        await refused_alike(self.carol, [
            in_chat("chat:join"),
            in_chat("message:send", content="let me in"),
            in_chat("message:list"),
            in_chat("message:read", messageId=self.first),
            in_chat("typing:start"),
            in_chat("call:signal", data={"sdp": "offer"}),
            of_message("message:edit", content="mine now"),
            of_message("message:delete"),
            of_message("message:react", emoji="👎"),
        ])
        request = {"chatId": self.tea, "content": "let me in"}
        code = (await self.carol.no("message:send", request))["code"]
        await self.carol.emit("message:send", request)
        await self.carol.told("error", {"message": is_text, "code": code, "event": "message:send"})
        await self.bob.no("message:edit", {"messageId": self.first, "content": "not the author"})
        await quiet("nothing of this was granted", self.alice, self.second, self.bob, self.carol)

    async def confirm(self):
        """Read, edited, deleted, reacted to."""
        tabs = (self.alice, self.second, self.bob)
        read = {"messageId": self.first, "chatId": self.tea}
        unread = {"id": self.tea, "unread": 1, "last_message": lambda got: "tea?" in str(got)}
        await self.bob.ok("chat:list", {}, chats=[unread])
        await self.bob.ok("message:read", read)
        await self.everyone("message:read", {**read, "userId": self.ids["bob"]})
        await self.bob.ok("message:read", read)
        await self.alice.ok("message:read", read)
        await quiet("read twice, and read by its author", *tabs)
        await self.bob.ok("chat:list", {}, chats=[{"id": self.tea, "unread": 0}])

        await self.alice.ok("message:edit", {"messageId": self.first, "content": "good day"})
        edited = {"id": self.first, "chat_id": self.tea, "content": "good day", "edited_at": is_time}
        await self.everyone("message:edited", edited)
        for emoji, remove in (("👍", False), ("❤️", False), ("👍", True)):
            request = {"messageId": self.first, "emoji": emoji, **({"remove": True} if remove else {})}
            await self.bob.ok("message:react", request)
            reaction = {**read, "userId": self.ids["bob"], "emoji": emoji, "removed": remove}
            await self.everyone("message:reaction", reaction)
        slip = (await self.say(self.alice, tabs, self.tea, "a slip"))["id"]
        await self.alice.ok("message:delete", {"messageId": slip})
        await self.everyone("message:deleted", {"id": slip, "chat_id": self.tea})
        await quiet("told once", *tabs, self.carol)

    async def call(self):
        data = {"sdp": "offer", "lines": [1, None, "é"]}
        await self.alice.ok("call:signal", {"chatId": self.tea, "data": data})
        await self.bob.told("call:signal", {"userId": self.ids["alice"], "chatId": self.tea, "data": data})
        self.second.events.clear()  # Whether the caller's other tab rings too is the server's affair.
        await self.alice.ok("call:signal", {"userId": self.ids["bob"], "data": {"candidate": 1}})
        signal = {"userId": self.ids["alice"], "chatId": is_absent, "data": {"candidate": 1}}
        await self.bob.told("call:signal", signal)
        await quiet("a signal is for those called", self.alice, self.bob, self.carol)

    async def create(self):
        request = {"name": "cake", "participants": [self.ids["bob"]]}
        chat = (await self.alice.ok("chat:create", request, chatId=is_uuid))["chatId"]
        both = {(self.ids[name], self.names[name]) for name in ("alice", "bob")}
        await self.everyone("chat:new", {
            "id": chat, "name": "cake", "owner_id": self.ids["alice"],
            "participants": lambda got: {(one["id"], one["username"]) for one in got} == both,
        })
        await self.say(self.bob, (self.alice, self.second, self.bob), chat, "any left?")
        await self.alice.ok("chat:list", {}, chats=lambda got: len(got) == 2 and any(
            (one["id"], one["name"], one["unread"]) == (chat, "cake", 1) for one in got))
        await quiet("not invited", self.carol)

    async def history(self):
        bob = {"id": self.ids["bob"], "username": self.names["bob"]}
        listed = await self.bob.ok("message:list", {"chatId": self.tea}, next=is_absent)
        check("the history, oldest first and without what was deleted", listed["messages"], [
            {"content": "good day", "chat_id": self.tea, "message_type": "text",
             "sender": {"username": self.names["alice"]}, "created_at": is_time, "edited_at": is_time, "reactions": [{"emoji": "❤️", "count": 1}],
             "read_by": lambda got: (len(got) if isinstance(got, list) else got) == 1},
            {"content": "hello", "sender": bob, "edited_at": is_absent, "reactions": []},
            {"content": "tea?", "sender": bob, "edited_at": is_absent, "reactions": []},
        ])
        pages, before = [], {}
        while before is not None and len(pages) < 4:
            page = await self.alice.ok("message:list", {"chatId": self.tea, "limit": 1, **before})
            pages = [one["id"] for one in page["messages"]] + pages
            before = {"before": page["next"]} if page["next"] is not None else None
        check("page by page it is the same", pages, [one["id"] for one in listed["messages"]])
        await quiet("reading is silent", self.bob, self.carol)

    async def type_and_reload(self):
        """Typing ends by word or by itself after six seconds; meanwhile alice comes anew, and nobody sees it."""
        bob = {"chatId": self.tea, "userId": self.ids["bob"]}
        await self.second.close()
        await quiet("one of two tabs is closed", self.bob, self.carol)
        await self.bob.ok("typing:start", {"chatId": self.tea})
        await self.alice.told("typing:start", {**bob, "username": self.names["bob"]})
        await self.bob.ok("typing:stop", {"chatId": self.tea})
        await self.alice.told("typing:stop", bob)
        start = time.monotonic()
        await self.bob.ok("typing:start", {"chatId": self.tea})
        await self.alice.told("typing:start", {**bob, "username": self.names["bob"]})
        await self.alice.close()
        self.alice = await Tab.open(self.world, "alice", self.way)
        await self.alice.ok("chat:join", {"chatId": self.tea})
        await self.alice.told("typing:stop", bob)
        elapsed("the server stops the typing", start, 5.5, 9)
        await quiet("a reload is invisible, one's own typing too", self.alice, self.bob, self.carol)

    async def reconnect(self):
        """Alice's line is cut, bob goes on talking. She comes back by herself, and reads what she missed."""
        missed = ["one", "two", "three"]
        self.line.cut()
        await self.alice.gone()
        for content in missed:
            await self.say(self.bob, [self.bob], self.tea, content)
        self.line.mend()
        await self.alice.connected()
        newest = {"chatId": self.tea, "limit": 3}
        await self.alice.ok("message:list", newest, messages=[{"content": one} for one in missed])
        await self.say(self.bob, [self.alice, self.bob], self.tea, "four")
        await self.say(self.alice, [self.alice, self.bob], self.tea, "I am back")
        await quiet("nothing twice, and no status", self.alice, self.bob, self.carol)

    async def leave(self):
        await self.alice.ok("typing:start", {"chatId": self.tea})
        alice = {"userId": self.ids["alice"], "username": self.names["alice"]}
        await self.bob.told("typing:start", {"chatId": self.tea, **alice})
        start = time.monotonic()
        await self.alice.close()
        await self.bob.told("typing:stop", {"chatId": self.tea, "userId": self.ids["alice"]})
        elapsed("who has gone types no more", start, 0, 4)
        await self.bob.told("user:status", {"userId": self.ids["alice"], "status": "offline"})
        elapsed("offline after the grace", start, 4.5, 9)
        await self.bob.ok("chat:leave", {"chatId": self.tea})
        await quiet("carol knows none of them", self.bob, self.carol)
        await self.bob.close()
        await self.carol.close()


async def conversation(world):
    await bad_token(world)
    chat = Chat(world)
    for part in (chat.arrive, chat.talk, chat.refuse, chat.confirm, chat.call, chat.create, chat.history,
                 chat.type_and_reload, chat.reconnect, chat.leave):
        await part()


if __name__ == "__main__":
    run(conversation, VOCABULARY)
