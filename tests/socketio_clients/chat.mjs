// The chat vocabulary, from the first connection to the last:
// node chat.mjs NEAR FAR websocket|polling|upgrade NAMESPACE FILE
// NEAR and FAR are the URLs of two ways to the server, perhaps to two nodes. Alice has a tab by either.

import {
  Tab, badToken, check, elapsed, isAbsent, isMessageId, isText, isTime, isUuid, quiet, refusedAlike, runInNode,
} from './harness.mjs';

const vocabulary = [
  'user:status', 'message:new', 'message:read', 'message:edited', 'message:deleted', 'message:reaction',
  'typing:start', 'typing:stop', 'call:signal', 'chat:new', 'error',
];
const NOWHERE = '5a2f8c1e-7b3d-4e6a-9f10-c4d5e6f7a8b9';
const NO_MESSAGE = '999999999';

export default async function chat(settings) {
  const world = { ...settings, vocabulary };
  await badToken(world);
  const people = await arrive(world);
  const first = await talk(world, people);
  await refuse(world, people, first);
  await confirm(world, people, first);
  await call(world, people);
  await create(world, people);
  await history(world, people);
  await typeAndReload(world, people);
  await recover(world, people);
  await leave(world, people);
}

/** Bob, carol, and two tabs of alice. Carol shares no chat with them. */
async function arrive(world) {
  const { alice, bob } = world.users;
  const people = { bob: await Tab.open(world, 'bob', world.near), carol: await Tab.open(world, 'carol', world.far) };
  people.alice = await Tab.open(world, 'alice', world.far);
  await people.bob.told('user:status', { userId: alice.uuid, status: 'online' });
  people.second = await Tab.open(world, 'alice', world.near);
  await quiet('a second tab is no news', people.bob, people.carol, people.alice, people.second);
  const tea = { id: world.chats.tea.uuid, name: 'tea', unread: 0, updated_at: isTime, last_message: isAbsent };
  await people.bob.ok('chat:list', {}, { chats: [tea] });
  await people.carol.ok('chat:list', {}, { chats: [] });
  for (const tab of [people.alice, people.second, people.bob]) {
    await tab.ok('chat:join', { chatId: world.chats.tea.uuid });
  }
  check('ids are UUIDs', [alice.uuid, bob.uuid, world.chats.tea.uuid], [isUuid, isUuid, isUuid]);
  return people;
}

/** Sends to all the tabs given, and returns the message's id. */
async function say(world, tab, tabs, request, wanted = {}) {
  const sender = { id: world.users[tab.name].uuid, username: world.users[tab.name].name };
  const answer = { id: isMessageId, created_at: isTime, delivered: Number.isInteger };
  const ack = await tab.ok('message:send', request, answer);
  const { id, created_at } = ack;
  const { content } = request;
  const message = { id, chat_id: request.chatId, content, message_type: isText, file: null, sender, created_at };
  for (const each of tabs) await each.told('message:new', { ...message, ...wanted });
  return ack;
}

async function talk(world, { alice, second, bob, carol }) {
  const chatId = world.chats.tea.uuid;
  const everyone = [alice, second, bob];
  const request = { chatId, content: 'päivää 👋', messageType: 'text', clientId: 'first' };
  const sent = await say(world, alice, everyone, request, { message_type: 'text' });
  check('delivered counts sockets', sent.delivered, (got) => got === 2 || got === 3);
  await alice.ok('message:send', request, { id: sent.id, created_at: sent.created_at });
  await quiet('a repeat, and not their chat', ...everyone, carol);
  // The integer id of the chat does as well, also as a string.
  await say(world, bob, everyone, { chatId: world.chats.tea.id, content: 'hello' }, { chat_id: chatId });
  await say(world, bob, everyone, { chatId: String(world.chats.tea.id), content: 'tea?' }, { chat_id: chatId });
  return sent.id;
}

/** Carol can neither do anything in the chat nor tell it from one that does not exist. */
async function refuse(world, { alice, second, bob, carol }, first) {
  const chatId = world.chats.tea.uuid;
  const inChat = (event, more = {}) => [event, { chatId, ...more }, { chatId: NOWHERE, ...more }];
  const ofMessage = (event, more = {}) => [event, { messageId: first, ...more }, { messageId: NO_MESSAGE, ...more }];
  await refusedAlike(carol, [
    inChat('chat:join'),
    inChat('message:send', { content: 'let me in' }),
    inChat('message:list'),
    inChat('message:read', { messageId: first }),
    inChat('typing:start'),
    inChat('call:signal', { data: { sdp: 'offer' } }),
    ofMessage('message:edit', { content: 'mine now' }),
    ofMessage('message:delete'),
    ofMessage('message:react', { emoji: '👎' }),
  ]);
  const { code } = await carol.no('message:send', { chatId, content: 'let me in' });
  carol.socket.emit('message:send', { chatId, content: 'let me in' });
  await carol.told('error', { message: isText, code, event: 'message:send' });
  await bob.no('message:edit', { messageId: first, content: 'not the author' });
  await quiet('nothing of this was granted', alice, second, bob, carol);
}

/** Read, edited, deleted, reacted to. */
async function confirm(world, { alice, second, bob, carol }, first) {
  const chatId = world.chats.tea.uuid;
  const everyone = [alice, second, bob];
  const told = async (event, wanted) => { for (const tab of everyone) await tab.told(event, wanted); };
  await bob.ok('chat:list', {}, { chats: [{ id: chatId, unread: 1, last_message: (got) => shows(got, 'tea?') }] });
  await bob.ok('message:read', { messageId: first, chatId });
  await told('message:read', { messageId: first, userId: world.users.bob.uuid, chatId });
  await bob.ok('message:read', { messageId: first, chatId });
  await alice.ok('message:read', { messageId: first, chatId });
  await quiet('read twice, and read by its author', ...everyone);
  await bob.ok('chat:list', {}, { chats: [{ id: chatId, unread: 0 }] });

  await alice.ok('message:edit', { messageId: first, content: 'good day' });
  await told('message:edited', { id: first, chat_id: chatId, content: 'good day', edited_at: isTime });
  const reaction = { messageId: first, chatId, userId: world.users.bob.uuid };
  for (const [emoji, remove] of [['👍', false], ['❤️', false], ['👍', true]]) {
    await bob.ok('message:react', { messageId: first, emoji, ...(remove && { remove }) });
    await told('message:reaction', { ...reaction, emoji, removed: remove });
  }
  const { id } = await say(world, alice, everyone, { chatId, content: 'a slip' });
  await alice.ok('message:delete', { messageId: id });
  await told('message:deleted', { id, chat_id: chatId });
  await quiet('told once', ...everyone, carol);
}

const shows = (got, content) => JSON.stringify(got ?? null).includes(content);

async function call(world, { alice, second, bob, carol }) {
  const chatId = world.chats.tea.uuid;
  const userId = world.users.alice.uuid;
  await alice.ok('call:signal', { chatId, data: { sdp: 'offer', lines: [1, null, 'é'] } });
  await bob.told('call:signal', { userId, chatId, data: { sdp: 'offer', lines: [1, null, 'é'] } });
  second.events.length = 0; // Whether the caller's other tab rings too is the server's affair.
  await alice.ok('call:signal', { userId: world.users.bob.uuid, data: { candidate: 1 } });
  await bob.told('call:signal', { userId, chatId: isAbsent, data: { candidate: 1 } });
  await quiet('a signal is for those called', alice, bob, carol);
}

async function create(world, { alice, second, bob, carol }) {
  const { alice: owner, bob: guest } = world.users;
  const { chatId } = await alice.ok('chat:create', { name: 'cake', participants: [guest.uuid] }, { chatId: isUuid });
  const is = (user) => (one) => one.id === user.uuid && one.username === user.name;
  const participants = (got) => got?.length === 2 && got.some(is(owner)) && got.some(is(guest));
  for (const tab of [alice, second, bob]) {
    await tab.told('chat:new', { id: chatId, name: 'cake', owner_id: owner.uuid, participants });
  }
  await say(world, bob, [alice, second, bob], { chatId, content: 'any left?' });
  const isNew = (one) => one.id === chatId && one.name === 'cake' && one.unread === 1;
  const hasBoth = (got) => got?.length === 2 && got.some(isNew);
  await alice.ok('chat:list', {}, { chats: hasBoth });
  await quiet('not invited', carol);
}

async function history(world, { alice, bob, carol }) {
  const chatId = world.chats.tea.uuid;
  const sender = { id: world.users.bob.uuid, username: world.users.bob.name };
  const { messages } = await bob.ok('message:list', { chatId }, { next: null });
  const readBy = (got) => (Array.isArray(got) ? got.length : got) === 1;
  check('the history, oldest first and without what was deleted', messages, [
    { content: 'good day', chat_id: chatId, message_type: 'text', sender: { username: world.users.alice.name },
      created_at: isTime, edited_at: isTime, reactions: [{ emoji: '❤️', count: 1 }], read_by: readBy },
    { content: 'hello', sender, edited_at: isAbsent, reactions: [] },
    { content: 'tea?', sender, edited_at: isAbsent, reactions: [] },
  ]);
  const pages = [];
  for (let before; before !== null && pages.length < 4;) {
    const page = await alice.ok('message:list', { chatId, limit: 1, ...(before && { before }) });
    pages.unshift(...page.messages.map(({ id }) => id));
    before = page.next;
  }
  check('page by page it is the same', pages, messages.map(({ id }) => id));
  await quiet('reading is silent', bob, carol);
}

/** Typing ends by word or by itself after six seconds; meanwhile alice loads her page anew, and nobody sees it. */
async function typeAndReload(world, people) {
  const { second, bob, carol } = people;
  const chatId = world.chats.tea.uuid;
  const userId = world.users.bob.uuid;
  await second.close();
  await quiet('one of two tabs is closed', bob, carol);
  await bob.ok('typing:start', { chatId });
  await people.alice.told('typing:start', { chatId, userId, username: world.users.bob.name });
  await bob.ok('typing:stop', { chatId });
  await people.alice.told('typing:stop', { chatId, userId });
  const start = performance.now();
  await bob.ok('typing:start', { chatId });
  await people.alice.told('typing:start', { chatId, userId, username: world.users.bob.name });
  await people.alice.close();
  people.alice = await Tab.open(world, 'alice', world.far);
  await people.alice.ok('chat:join', { chatId });
  await people.alice.told('typing:stop', { chatId, userId });
  elapsed('the server stops the typing', start, 5500, 9000);
  await quiet('a reload is invisible, one\'s own typing too', people.alice, bob, carol);
}

/** Alice's transport is cut, bob goes on talking, and she misses nothing. */
async function recover(world, { alice, bob, carol }) {
  const chatId = world.chats.tea.uuid;
  // Something was received, so that there is a place to go on from.
  await say(world, bob, [alice, bob], { chatId, content: 'are you there?' });
  const { id } = alice.socket;
  await alice.cut();
  for (const content of ['one', 'two', 'three']) await say(world, bob, [bob], { chatId, content });
  await alice.recovers(id);
  await say(world, bob, [bob], { chatId, content: 'four' });
  for (const content of ['one', 'two', 'three', 'four']) await alice.told('message:new', { content, chat_id: chatId });
  await say(world, alice, [alice, bob], { chatId, content: 'I am back' });
  await quiet('all of it once, and no status', alice, bob, carol);
}

async function leave(world, { alice, bob, carol }) {
  const chatId = world.chats.tea.uuid;
  const userId = world.users.alice.uuid;
  await alice.ok('typing:start', { chatId });
  await bob.told('typing:start', { chatId, userId, username: world.users.alice.name });
  const start = performance.now();
  await alice.close();
  await bob.told('typing:stop', { chatId, userId });
  elapsed('who has gone types no more', start, 0, 4000);
  await bob.told('user:status', { userId, status: 'offline' });
  elapsed('offline after the grace', start, 4500, 9000);
  await bob.ok('chat:leave', { chatId });
  await quiet('carol knows none of them', bob, carol);
  await bob.close();
  await carol.close();
}

await runInNode(import.meta.url, chat);
