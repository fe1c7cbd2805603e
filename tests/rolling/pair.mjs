// Two users talk by a transport: node pair.mjs URL ROOM TOKEN TOKEN TRANSPORT, with socket.io-client found by NODE_PATH.

import { createRequire } from 'node:module';

const { io } = createRequire(import.meta.url)('socket.io-client');
const [url, chatId, ann, bob, transport] = process.argv.slice(2);

setTimeout(() => { throw new Error('nothing for 20 s'); }, 20_000).unref();

function open(token) {
  const options = { forceNew: true, reconnection: false, transports: [transport] };
  const socket = io(`${url}/chat`, { auth: { token }, ...options });
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
    socket.once('disconnect', (reason) => reject(new Error(reason)));
  });
}

const [from, to] = [await open(ann), await open(bob)];
const heard = new Promise((resolve) => to.on('message:new', resolve));
const ack = await from.timeout(10_000).emitWithAck('message:send', { chatId, content: 'tea?' });
const { content } = await heard;
if (!ack.ok || content !== 'tea?') throw new Error(`${JSON.stringify(ack)} ${content}`);
console.log('done');
process.exit(0);
