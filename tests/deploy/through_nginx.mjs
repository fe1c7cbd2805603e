// Two users talk by polling, by WebSocket, and by the first that becomes the second:
// node through_nginx.mjs URL TOKEN TOKEN ROOM, with socket.io-client found by NODE_PATH.

import { createRequire } from 'node:module';

import { Tab } from '../socketio_clients/harness.mjs';

const { io } = createRequire(import.meta.url)('socket.io-client');
const [url, ann, bob, chatId] = process.argv.slice(2);
const users = { ann: { token: ann }, bob: { token: bob } };

for (const mode of ['polling', 'upgrade', 'websocket']) {
  const world = { io, url, mode, namespace: '/chat', vocabulary: ['message:new'], users };
  const [from, to] = [await Tab.open(world, 'ann'), await Tab.open(world, 'bob')];
  await from.ok('message:send', { chatId, content: `by ${mode}` });
  await to.told('message:new', { content: `by ${mode}` });
  await from.close();
  await to.close();
}
console.log('done');
process.exit(0);
