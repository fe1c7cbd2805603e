// Two users of Node's ws go through the whole action dialect: node conversation.mjs URL URL, with ws found
// by NODE_PATH. Each comes by a way of their own.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';

const { WebSocket } = createRequire(import.meta.url)('ws');
const [near, far] = process.argv.slice(2);

/** A client whose frames are received one by one, in order. */
async function client(url) {
  const socket = new WebSocket(url);
  const frames = [];
  const waiting = [];
  socket.on('message', (data, isBinary) => {
    const frame = isBinary ? data : data.toString();
    const next = waiting.shift();
    if (next) next(frame); else frames.push(frame);
  });
  await once(socket, 'open');
  const receive = () => frames.length > 0 ? frames.shift() : new Promise((resolve) => waiting.push(resolve));
  const expect = async (frame) => assert.deepEqual(JSON.parse(await receive()), frame);
  const ask = async (request, reply) => {
    socket.send(JSON.stringify(request));
    await expect(reply);
  };
  return { socket, receive, expect, ask };
}

/** Whoever is on another node hears of a new room a moment later, and may be there first. */
async function isThere({ socket, receive }, room) {
  let rooms = [];
  while (!rooms.includes(room)) {
    socket.send(JSON.stringify({ action: 'rooms' }));
    ({ rooms } = JSON.parse(await receive()));
  }
}

setTimeout(() => { throw new Error('took too long'); }, 10_000).unref();

const alice = await client(`${near}/chatserver/connect`);
const bob = await client(`${far}/chatserver/connect`);
const a = JSON.parse(await alice.receive()).user_id;
const b = JSON.parse(await bob.receive()).user_id;
await alice.ask({ action: 'join', room: 'tea' }, { action: 'join', room: 'tea' });
await isThere(bob, 'tea');
await bob.ask({ action: 'join', room: 'tea' }, { action: 'join', room: 'tea' });
await alice.expect({ action: 'join', room: 'tea', user_id: b });
await alice.ask({ action: 'room_message', message: 'päivää 👋' }, { action: 'room_message', room: 'tea', message: 'päivää 👋' });
await bob.expect({ action: 'room_message', room: 'tea', user_id: a, message: 'päivää 👋' });
await bob.ask({ action: 'private_message', user_id: a, message: 'psst' }, { action: 'private_message', user_id: a, message: 'psst' });
await alice.expect({ action: 'private_message', user_id: b, message: 'psst' });
await bob.ask({ action: 'rooms' }, { action: 'rooms', rooms: ['lobby', 'tea'] });
await bob.ask({ action: 'participants', room: 'tea' }, { action: 'participants', room: 'tea', participants: [a, b] });
bob.socket.terminate();
await alice.expect({ action: 'leave', room: 'tea', user_id: b });
alice.socket.ping('still there?');
assert.equal((await once(alice.socket, 'pong'))[0].toString(), 'still there?');

const echo = await client(`${far}/echo`);
assert.equal(echo.socket.extensions, '', 'compression was accepted');
echo.socket.send('frag', { fin: false });
echo.socket.send('mented', { fin: true });
assert.equal(await echo.receive(), 'fragmented');
const large = Buffer.alloc(65_536, 'roomcast');
echo.socket.send(large);
assert.deepEqual(await echo.receive(), large);
echo.socket.close(4000, 'enough');
const [code, reason] = await once(echo.socket, 'close');
assert.deepEqual([code, reason.toString()], [4000, 'enough']);
alice.socket.close();
await once(alice.socket, 'close');
console.log('ok');
