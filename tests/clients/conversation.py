"""Two users of Python's websockets go through the whole action dialect: conversation.py URL URL

Each comes by a way of their own.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect


async def main(near, far):
    async with connect(near + "/chatserver/connect") as alice, connect(far + "/chatserver/connect") as bob:

        async def expect(client, **fields):
            frame = json.loads(await asyncio.wait_for(client.recv(), 10))
            assert frame == fields, f"{frame} instead of {fields}"

        async def ask(client, request, **reply):
            await client.send(json.dumps(request))
            await expect(client, **reply)

        async def is_there(client, room):
            # Whoever is on another node hears of a new room a moment later, and may be there first.
            rooms = []
            while room not in rooms:
                await client.send(json.dumps({"action": "rooms"}))
                rooms = json.loads(await asyncio.wait_for(client.recv(), 10))["rooms"]

        a = json.loads(await alice.recv())["user_id"]
        b = json.loads(await bob.recv())["user_id"]
        await ask(alice, {"action": "join", "room": "tea"}, action="join", room="tea")
        await is_there(bob, "tea")
        await ask(bob, {"action": "join", "room": "tea"}, action="join", room="tea")
        await expect(alice, action="join", room="tea", user_id=b)
        await ask(alice, {"action": "room_message", "message": "päivää 👋"},
                  action="room_message", room="tea", message="päivää 👋")
        await expect(bob, action="room_message", room="tea", user_id=a, message="päivää 👋")
        await ask(bob, {"action": "private_message", "user_id": a, "message": "psst"},
                  action="private_message", user_id=a, message="psst")
        await expect(alice, action="private_message", user_id=b, message="psst")
        await ask(bob, {"action": "rooms"}, action="rooms", rooms=["lobby", "tea"])
        await ask(bob, {"action": "participants", "room": "tea"},
                  action="participants", room="tea", participants=[a, b])
        await ask(bob, {"action": "leave"}, action="leave", room="tea")
        await expect(alice, action="leave", room="tea", user_id=b)
        await ask(bob, {"action": "leave"}, action="error", message="user was not in a room")
        pong = await alice.ping()
        await asyncio.wait_for(pong, 10)

    # websockets offers compression, sends a list of fragments, and reads what is as large as allowed.
    async with connect(far + "/echo", max_size=None) as echo:
        assert echo.protocol.extensions == [], "compression was accepted"
        await echo.send(["frag", "ment", "ed"])
        assert await echo.recv() == "fragmented"
        large = bytes(range(256)) * 256
        await echo.send(large)
        assert await echo.recv() == large
        await echo.close(code=4000, reason="enough")
        assert (echo.close_code, echo.close_reason) == (4000, "enough")
    print("ok")


asyncio.run(main(*sys.argv[1:]))
