"""The conversation vocabulary, from the first connection to the last:
python conversation.py NEAR FAR websocket|polling|upgrade NAMESPACE FILE sync|asyncio
NEAR and FAR are the URLs of two ways to the server, perhaps to two nodes. Alice has a connection by either.
"""

import time

from harness import (
    NO_MESSAGE, NOWHERE, Line, Tab, bad_token, elapsed, is_absent, is_text, is_time, quiet, refused_alike, run,
)

VOCABULARY = [
    "online_users", "user_online", "user_offline", "private_message", "conversation_message", "message_delivered",
    "user_typing", "message_edited", "message_deleted", "message_reaction", "message_read", "call_signal", "error",
]


class Conversation:
    def __init__(self, world):
        self.world = world
        self.tea = {"conversation_id": world.tea["uuid"]}
        self.names = {name: user["name"] for name, user in world.users.items()}
        self.ids = {name: user["uuid"] for name, user in world.users.items()}

    async def everyone(self, event, wanted):
        for tab in (self.alice, self.second, self.bob):
            await tab.told(event, wanted)

    async def sees(self, tab, present, absent):
        """These are online as the tab sees it, and those are not. Whether it lists itself is the server's affair."""

        def fitting(users):
            seen = {name for name, uuid in self.ids.items() if uuid in users}
            return seen.issuperset(present) and seen.isdisjoint(absent)

        fitting.__name__ = f"{present} without {absent}"
        await tab.told("online_users", {"users": fitting})

    async def arrive(self):
        """Bob, carol, and two tabs of alice. Carol shares no conversation with them."""
        self.line = Line(self.world.far)
        self.way = await self.line.open()
        self.bob = await Tab.open(self.world, "bob", self.world.near)
        await self.sees(self.bob, [], ["alice", "carol"])
        self.carol = await Tab.open(self.world, "carol", self.world.far)
        await self.sees(self.carol, [], ["alice", "bob"])
        self.alice = await Tab.open(self.world, "alice", self.way)
        await self.sees(self.alice, ["bob"], ["carol"])
        await self.bob.told("user_online", {"user_id": self.ids["alice"]})
        self.second = await Tab.open(self.world, "alice", self.world.near)
        await self.sees(self.second, ["bob"], ["carol"])
        await quiet("a second tab is no news", self.bob, self.carol, self.alice, self.second)
        for tab in (self.alice, self.second, self.bob):
            await tab.ok("join_conversation", self.tea)

    async def say(self, event, tab, tabs, request):
        """Says something in a conversation or to a person. `tabs` are told, the sender gets the confirmation."""
        await tab.ok(event, request)
        message = {
            **request, "id": is_text, "sender_id": self.ids[tab.name], "sender_username": self.names[tab.name],
            "created_at": is_time,
        }
        sent = await tab.told("message_delivered", {**message, "delivered": len(tabs)})
        for each in tabs:
            await each.told(event, {**message, "id": sent["id"], "created_at": sent["created_at"]})
        return sent["id"]

    async def talk(self):
        async def spoken(tab, tabs, content, **more):
            return await self.say("conversation_message", tab, tabs, {**self.tea, "content": content, **more})

        self.first = await spoken(self.alice, [self.second, self.bob], "päivää 👋", sender_id=self.ids["alice"])
        await spoken(self.bob, [self.alice, self.second], "hello")
        # The integer id of the conversation does as well.
        await self.bob.ok("conversation_message", {"conversation_id": self.world.tea["id"], "content": "tea?"})
        await self.bob.told("message_delivered", {**self.tea, "content": "tea?", "delivered": 2})
        for tab in (self.alice, self.second):
            await tab.told("conversation_message", {**self.tea, "content": "tea?"})
        await self.second.ok("leave_conversation", self.tea)
        await spoken(self.bob, [self.alice], "to those who are left")
        await quiet("it has left, or was never in", self.second, self.carol)
        await self.second.ok("join_conversation", self.tea)

    async def whisper(self):
        request = {"recipient_id": self.ids["bob"], "content": "psst"}
        self.direct = await self.say("private_message", self.alice, [self.bob], request)
        await self.second.told("private_message", {"id": self.direct, "content": "psst"})
        request = {"recipient_id": self.ids["alice"], "content": "yes?"}
        await self.say("private_message", self.bob, [self.alice, self.second], request)
        await self.alice.no("private_message", {"recipient_id": NOWHERE, "content": "anybody?"})
        await quiet("it was not for them", self.alice, self.second, self.bob, self.carol)

    async def refuse(self):
        """Carol can neither do anything in the conversation nor tell it from one that does not exist."""

        def in_it(event, **more):
            return event, {**self.tea, **more}, {"conversation_id": NOWHERE, **more}

        def of_message(event, **more):
            return event, {"message_id": self.first, **more}, {"message_id": NO_MESSAGE, **more}

        await refused_alike(self.carol, [
            in_it("join_conversation"),
            in_it("conversation_message", content="let me in"),
            in_it("typing", is_typing=True),
            in_it("call_signal", data={"sdp": "offer"}),
            of_message("message_read"),
            of_message("message_edit", content="mine now"),
            of_message("message_delete"),
            of_message("message_react", emoji="👎"),
        ])
        request = {**self.tea, "content": "let me in"}
        code = (await self.carol.no("conversation_message", request))["code"]
        await self.carol.emit("conversation_message", request)
        await self.carol.told("error", {"message": is_text, "code": code, "event": "conversation_message"})
        await self.bob.no("message_edit", {"message_id": self.first, "content": "not the author"})
        spoofed = {"content": "I am alice", "sender_id": self.ids["alice"]}
        await self.bob.no("conversation_message", {**self.tea, **spoofed})
        await self.bob.no("private_message", {"recipient_id": self.ids["alice"], **spoofed})
        await quiet("nothing of this was granted", self.alice, self.second, self.bob, self.carol)

    async def confirm(self):
        """Read, edited, deleted, reacted to."""
        tabs = (self.alice, self.second, self.bob)
        first = {"message_id": self.first}
        await self.bob.ok("message_read", first)
        await self.everyone("message_read", {**first, **self.tea, "user_id": self.ids["bob"]})
        await self.bob.ok("message_read", first)
        await self.alice.ok("message_read", first)
        await quiet("read twice, and read by its author", *tabs)
        await self.alice.ok("message_edit", {**first, "content": "good day"})
        edited = {"id": self.first, **self.tea, "content": "good day", "edited_at": is_time}
        await self.everyone("message_edited", edited)
        for remove in (False, True):
            await self.bob.ok("message_react", {**first, "emoji": "👍", **({"remove": True} if remove else {})})
            reaction = {**first, **self.tea, "user_id": self.ids["bob"], "emoji": "👍", "removed": remove}
            await self.everyone("message_reaction", reaction)
        request = {**self.tea, "content": "a slip"}
        slip = await self.say("conversation_message", self.alice, [self.second, self.bob], request)
        await self.alice.ok("message_delete", {"message_id": slip})
        await self.everyone("message_deleted", {"id": slip, **self.tea})
        await quiet("told once", *tabs, self.carol)

        await self.alice.ok("message_edit", {"message_id": self.direct, "content": "louder"})
        for tab in (self.alice, self.second, self.bob):
            await tab.told("message_edited", {
                "id": self.direct, "conversation_id": is_absent, "recipient_id": self.ids["bob"],
                "content": "louder", "edited_at": is_time,
            })
        await quiet("it was between two", self.alice, self.second, self.bob, self.carol)

    async def call(self):
        data = {"sdp": "offer", "lines": [1, None, "é"]}
        await self.alice.ok("call_signal", {**self.tea, "data": data})
        await self.bob.told("call_signal", {"user_id": self.ids["alice"], **self.tea, "data": data})
        self.second.events.clear()  # Whether the caller's other tab rings too is the server's affair.
        await self.alice.ok("call_signal", {"user_id": self.ids["bob"], "data": {"candidate": 1}})
        signal = {"user_id": self.ids["alice"], "conversation_id": is_absent, "data": {"candidate": 1}}
        await self.bob.told("call_signal", signal)
        await quiet("a signal is for those called", self.alice, self.bob, self.carol)

    async def type_and_reload(self):
        """Typing ends by word or by itself after six seconds; meanwhile alice comes anew, and nobody sees it."""
        bob = self.ids["bob"]
        await self.second.close()
        await quiet("one of two tabs is closed", self.bob, self.carol)
        for is_typing in (True, False):
            await self.bob.ok("typing", {"recipient_id": self.ids["alice"], "is_typing": is_typing})
            direct = {"user_id": bob, "is_typing": is_typing, "conversation_id": is_absent}
            await self.alice.told("user_typing", direct)
            await self.bob.ok("typing", {**self.tea, "is_typing": is_typing})
            await self.alice.told("user_typing", {"user_id": bob, "is_typing": is_typing, **self.tea})
        start = time.monotonic()
        await self.bob.ok("typing", {**self.tea, "is_typing": True})
        await self.alice.told("user_typing", {"user_id": bob, "is_typing": True, **self.tea})
        await self.alice.close()
        self.alice = await Tab.open(self.world, "alice", self.way)
        await self.sees(self.alice, ["bob"], ["carol"])
        await self.alice.ok("join_conversation", self.tea)
        await self.alice.told("user_typing", {"user_id": bob, "is_typing": False, **self.tea})
        elapsed("the server stops the typing", start, 5.5, 9)
        await quiet("a reload is invisible, one's own typing too", self.alice, self.bob, self.carol)

    async def reconnect(self):
        """Alice's line is cut. She comes back by herself within the grace, joins anew, and nobody has seen it."""
        self.line.cut()
        await self.alice.gone()
        await self.bob.ok("conversation_message", {**self.tea, "content": "are you there?"})
        # Whether the server has seen the cut by now, and so how many it delivers to, is left open.
        await self.bob.told("message_delivered", {**self.tea, "content": "are you there?"})
        self.line.mend()
        await self.alice.connected()
        await self.sees(self.alice, ["bob"], ["carol"])
        await self.alice.ok("join_conversation", self.tea)
        # She speaks first: whoever is on another node has heard then that she is there.
        await self.say("conversation_message", self.alice, [self.bob], {**self.tea, "content": "I am back"})
        await self.say("conversation_message", self.bob, [self.alice], {**self.tea, "content": "again?"})
        await quiet("nothing twice, and no status", self.alice, self.bob, self.carol)

    async def leave(self):
        start = time.monotonic()
        await self.alice.close()
        await self.bob.told("user_offline", {"user_id": self.ids["alice"]})
        elapsed("offline after the grace", start, 4.5, 9)
        await quiet("carol knows none of them", self.bob, self.carol)
        await self.bob.close()
        await self.carol.close()


async def conversation(world):
    await bad_token(world)
    whole = Conversation(world)
    for part in (whole.arrive, whole.talk, whole.whisper, whole.refuse, whole.confirm, whole.call,
                 whole.type_and_reload, whole.reconnect, whole.leave):
        await part()


if __name__ == "__main__":
    run(conversation, VOCABULARY)
