// Two users talk, one through each of the first and the last address, and a third hears them on many sockets: by every
// transport, from every address. Nodes come and go meanwhile. When its input ends the last is said; then all must have heard
// all, once and in the same order, and nobody may have seemed to be away:
// node restart.mjs URL ROOM TOKEN TOKEN TOKEN ADDRESS …, with socket.io-client found by NODE_PATH.

import { createRequire } from 'node:module';

const { io } = createRequire(import.meta.url)('socket.io-client');
const [url, chatId, ann, bob, cid, ...addresses] = process.argv.slice(2);
const modes = [['polling'], ['websocket'], ['polling', 'websocket']];

setTimeout(() => { console.log('nothing for 40 s'); process.exit(1); }, 40_000).unref();

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

let returns = 0;
const wrong = [];

/** Somebody at an address, who keeps what they hear. */
async function open(token, address, transports, options = {}) {
  const extraHeaders = { 'X-Client': address };
  const more = { reconnectionDelay: 200, reconnectionDelayMax: 400, ...options };
  const socket = io(`${url}/chat`, { auth: { token }, extraHeaders, forceNew: true, transports, ...more });
  const heard = [];
  socket.on('message:new', ({ content }) => heard.push(content));
  socket.on('user:status', ({ userId, status }) => {
    if (status === 'offline') wrong.push(`${userId} seems to be away`);
  });
  socket.on('disconnect', (reason) => {
    if (reason === 'io server disconnect') wrong.push(reason);
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.on('connect', () => {
    returns += 1;
    if (!socket.recovered) wrong.push(`${transports}: not recovered`);
  });
  return { socket, heard, transports };
}

const retry = { retries: 30, ackTimeout: 2000 };
const speakers = [
  await open(ann, addresses.at(0), ['websocket'], retry),
  await open(bob, addresses.at(-1), ['polling', 'websocket'], retry),
];
const listeners = await Promise.all(
  modes.flatMap((transports) => addresses.map((address) => open(cid, address, transports))),
);
console.log('all are here');

let isOver = false;
process.stdin.on('end', () => { isOver = true; }).resume();

async function say({ socket }, content) {
  const ack = await socket.emitWithAck('message:send', { chatId, content, clientId: content });
  if (!ack.ok) throw new Error(JSON.stringify(ack));
}
const counts = await Promise.all(speakers.map(async (speaker, place) => {
  let count = 0;
  for (; !isOver; count += 1) {
    await say(speaker, `${place} ${count}`);
    await pause(8);
  }
  return count;
}));
await say(speakers[0], 'the last');
const all = [...speakers, ...listeners];
while (all.some(({ heard }) => heard.at(-1) !== 'the last')) await pause(20);

const [{ heard: told }] = all;
counts.forEach((count, place) => {
  const own = told.filter((content) => content.startsWith(`${place} `));
  const said = Array.from({ length: count }, (_, number) => `${place} ${number}`);
  if (JSON.stringify(own) !== JSON.stringify(said)) wrong.push(`of ${count} of ${place}: ${own}`);
});
for (const { heard, transports } of all) {
  if (JSON.stringify(heard) !== JSON.stringify(told)) {
    const place = told.findIndex((content, index) => heard[index] !== content);
    wrong.push(`${transports}: ${heard.slice(place, place + 5)} instead of ${told.slice(place, place + 5)}`);
  }
}
if (wrong.length > 0) throw new Error(wrong.join('; '));
console.log(JSON.stringify({ said: told.length, sockets: all.length, returns }));
process.exit(0);
