// The conversation vocabulary, from the first connection to the last:
// node conversation.mjs NEAR FAR websocket|polling|upgrade NAMESPACE FILE
// NEAR and FAR are the URLs of two ways to the server, perhaps to two nodes. Alice has a tab by either.

import {
  Tab, badToken, check, elapsed, isAbsent, isMessageId, isText, isTime, named, quiet, refusedAlike, runInNode,
} from './harness.mjs';

const vocabulary = [
  'online_users', 'user_online', 'user_offline', 'private_message', 'conversation_message', 'message_delivered',
  'user_typing', 'message_edited', 'message_deleted', 'message_reaction', 'message_read', 'call_signal', 'error',
];
const NOWHERE = '5a2f8c1e-7b3d-4e6a-9f10-c4d5e6f7a8b9';
const NO_MESSAGE = '999999999';

export default async function conversation(settings) {
  const world = { ...settings, vocabulary };
  await badToken(world);
  const people = await arrive(world);
  const first = await talk(world, people);
  const direct = await whisper(world, people);
  await refuse(world, people, first);
  await confirm(world, people, first, direct);
  await call(world, people);
  await typeAndReload(world, people);
  await recover(world, people);
  await leave(world, people);
}

/** These are online as the tab sees it, and those are not. Whether it lists itself is the server's affair. */
async function sees(world, tab, present, absent) {
  const fitting = (users) => Array.isArray(users)
    && present.every((name) => users.includes(world.users[name].uuid))
    && !absent.some((name) => users.includes(world.users[name].uuid));
  await tab.told('online_users', { users: named(`${present} without ${absent}`, fitting) });
}

/** Bob, carol, and two tabs of alice. Carol shares no conversation with them. */
async function arrive(world) {
  const people = { bob: await Tab.open(world, 'bob', world.near) };
  await sees(world, people.bob, [], ['alice', 'carol']);
  people.carol = await Tab.open(world, 'carol', world.far);
  await sees(world, people.carol, [], ['alice', 'bob']);
  people.alice = await Tab.open(world, 'alice', world.far);
  await sees(world, people.alice, ['bob'], ['carol']);
  await people.bob.told('user_online', { user_id: world.users.alice.uuid });
  people.second = await Tab.open(world, 'alice', world.near);
  await sees(world, people.second, ['bob'], ['carol']);
  await quiet('a second tab is no news', people.bob, people.carol, people.alice, people.second);
  for (const tab of [people.alice, people.second, people.bob]) {
    await tab.ok('join_conversation', { conversation_id: world.chats.tea.uuid });
  }
  return people;
}

/** Says something in a conversation or to a person. `tabs` are told, the sender gets the confirmation. */
async function say(world, event, tab, tabs, request) {
  await tab.ok(event, request);
  const { sender_id, ...said } = request;
  const sender = { sender_id: world.users[tab.name].uuid, sender_username: world.users[tab.name].name };
  const message = { id: isMessageId, ...sender, ...said, created_at: isTime };
  const { id, created_at } = await tab.told('message_delivered', { ...message, delivered: tabs.length });
  for (const each of tabs) await each.told(event, { ...message, id, created_at });
  return id;
}

async function talk(world, { alice, second, bob, carol }) {
  const conversation_id = world.chats.tea.uuid;
  const sender_id = world.users.alice.uuid;
  const spoken = (tab, tabs, content, more) =>
    say(world, 'conversation_message', tab, tabs, { conversation_id, content, ...more });
  const first = await spoken(alice, [second, bob], 'päivää 👋', { sender_id });
  await spoken(bob, [alice, second], 'hello');
  // The integer id of the conversation does as well.
  await bob.ok('conversation_message', { conversation_id: world.chats.tea.id, content: 'tea?' });
  await bob.told('message_delivered', { conversation_id, content: 'tea?', delivered: 2 });
  for (const tab of [alice, second]) await tab.told('conversation_message', { conversation_id, content: 'tea?' });
  await second.ok('leave_conversation', { conversation_id });
  await spoken(bob, [alice], 'to those who are left');
  await quiet('it has left, or was never in', second, carol);
  await second.ok('join_conversation', { conversation_id });
  return first;
}

async function whisper(world, { alice, second, bob, carol }) {
  const id = await say(world, 'private_message', alice, [bob], { recipient_id: world.users.bob.uuid, content: 'psst' });
  await second.told('private_message', { id, content: 'psst' });
  await say(world, 'private_message', bob, [alice, second], { recipient_id: world.users.alice.uuid, content: 'yes?' });
  await alice.no('private_message', { recipient_id: NOWHERE, content: 'anybody?' });
  await quiet('it was not for them', alice, second, bob, carol);
  return id;
}

/** Carol can neither do anything in the conversation nor tell it from one that does not exist. */
async function refuse(world, { alice, second, bob, carol }, first) {
  const conversation_id = world.chats.tea.uuid;
  const inIt = (event, more = {}) => [event, { conversation_id, ...more }, { conversation_id: NOWHERE, ...more }];
  const ofMessage = (event, more = {}) => [event, { message_id: first, ...more }, { message_id: NO_MESSAGE, ...more }];
  await refusedAlike(carol, [
    inIt('join_conversation'),
    inIt('conversation_message', { content: 'let me in' }),
    inIt('typing', { is_typing: true }),
    inIt('call_signal', { data: { sdp: 'offer' } }),
    ofMessage('message_read'),
    ofMessage('message_edit', { content: 'mine now' }),
    ofMessage('message_delete'),
    ofMessage('message_react', { emoji: '👎' }),
  ]);
  const request = { conversation_id, content: 'let me in' };
  const { code } = await carol.no('conversation_message', request);
  carol.socket.emit('conversation_message', request);
  await carol.told('error', { message: isText, code, event: 'conversation_message' });
  await bob.no('message_edit', { message_id: first, content: 'not the author' });
  const { uuid } = world.users.alice;
  await bob.no('conversation_message', { conversation_id, content: 'I am alice', sender_id: uuid });
  await bob.no('private_message', { recipient_id: uuid, content: 'I am alice', sender_id: uuid });
  await quiet('nothing of this was granted', alice, second, bob, carol);
}

/** Read, edited, deleted, reacted to. */
async function confirm(world, { alice, second, bob, carol }, first, direct) {
  const conversation_id = world.chats.tea.uuid;
  const user_id = world.users.bob.uuid;
  const everyone = [alice, second, bob];
  const told = async (event, wanted) => { for (const tab of everyone) await tab.told(event, wanted); };
  await bob.ok('message_read', { message_id: first });
  await told('message_read', { message_id: first, user_id, conversation_id });
  await bob.ok('message_read', { message_id: first });
  await alice.ok('message_read', { message_id: first });
  await quiet('read twice, and read by its author', ...everyone);
  await alice.ok('message_edit', { message_id: first, content: 'good day' });
  await told('message_edited', { id: first, conversation_id, content: 'good day', edited_at: isTime });
  for (const [emoji, remove] of [['👍', false], ['👍', true]]) {
    await bob.ok('message_react', { message_id: first, emoji, ...(remove && { remove }) });
    await told('message_reaction', { message_id: first, conversation_id, user_id, emoji, removed: remove });
  }
  const request = { conversation_id, content: 'a slip' };
  const slip = await say(world, 'conversation_message', alice, [second, bob], request);
  await alice.ok('message_delete', { message_id: slip });
  await told('message_deleted', { id: slip, conversation_id });
  await quiet('told once', ...everyone, carol);

  await alice.ok('message_edit', { message_id: direct, content: 'louder' });
  const edited = { id: direct, conversation_id: isAbsent, recipient_id: user_id, content: 'louder', edited_at: isTime };
  await told('message_edited', edited);
  await quiet('it was between two', ...everyone, carol);
}

async function call(world, { alice, second, bob, carol }) {
  const conversation_id = world.chats.tea.uuid;
  const user_id = world.users.alice.uuid;
  await alice.ok('call_signal', { conversation_id, data: { sdp: 'offer', lines: [1, null, 'é'] } });
  await bob.told('call_signal', { user_id, conversation_id, data: { sdp: 'offer', lines: [1, null, 'é'] } });
  second.events.length = 0; // Whether the caller's other tab rings too is the server's affair.
  await alice.ok('call_signal', { user_id: world.users.bob.uuid, data: { candidate: 1 } });
  await bob.told('call_signal', { user_id, conversation_id: isAbsent, data: { candidate: 1 } });
  await quiet('a signal is for those called', alice, bob, carol);
}

/** Typing ends by word or by itself after six seconds; meanwhile alice loads her page anew, and nobody sees it. */
async function typeAndReload(world, people) {
  const { second, bob, carol } = people;
  const conversation_id = world.chats.tea.uuid;
  const user_id = world.users.bob.uuid;
  await second.close();
  await quiet('one of two tabs is closed', bob, carol);
  for (const is_typing of [true, false]) {
    await bob.ok('typing', { recipient_id: world.users.alice.uuid, is_typing });
    await people.alice.told('user_typing', { user_id, is_typing, conversation_id: isAbsent });
    await bob.ok('typing', { conversation_id, is_typing });
    await people.alice.told('user_typing', { user_id, is_typing, conversation_id });
  }
  const start = performance.now();
  await bob.ok('typing', { conversation_id, is_typing: true });
  await people.alice.told('user_typing', { user_id, is_typing: true, conversation_id });
  await people.alice.close();
  people.alice = await Tab.open(world, 'alice', world.far);
  await sees(world, people.alice, ['bob'], ['carol']);
  await people.alice.ok('join_conversation', { conversation_id });
  await people.alice.told('user_typing', { user_id, is_typing: false, conversation_id });
  elapsed('the server stops the typing', start, 5500, 9000);
  await quiet('a reload is invisible, one\'s own typing too', people.alice, bob, carol);
}

/** Alice's transport is cut, bob goes on talking, and she misses nothing. */
async function recover(world, { alice, bob, carol }) {
  const conversation_id = world.chats.tea.uuid;
  const recipient_id = world.users.alice.uuid;
  // Something was received, so that there is a place to go on from.
  await say(world, 'conversation_message', bob, [alice], { conversation_id, content: 'are you there?' });
  const { id } = alice.socket;
  await alice.cut();
  const missed = [
    ['conversation_message', { conversation_id, content: 'one' }],
    ['private_message', { recipient_id, content: 'two' }],
    ['conversation_message', { conversation_id, content: 'three' }],
  ];
  for (const [event, request] of missed) {
    await bob.ok(event, request);
    await bob.told('message_delivered', { content: request.content });
  }
  await alice.recovers(id);
  // She speaks first: whoever is on another node has heard then that she is there.
  await say(world, 'conversation_message', alice, [bob], { conversation_id, content: 'I am back' });
  await say(world, 'conversation_message', bob, [{ told: () => {} }], { conversation_id, content: 'four' });
  await quiet('it has it all', bob, carol);
  const got = alice.events.splice(0).filter(({ event }) => event !== 'online_users');
  const told = got.map(({ event, payload }) => [event, payload.content]);
  const wanted = [...missed, ['conversation_message', { content: 'four' }]];
  check('alice has missed nothing', told, wanted.map(([event, { content }]) => [event, content]));
  await quiet('all of it once, and no status', alice, bob, carol);
}

async function leave(world, { alice, bob, carol }) {
  const start = performance.now();
  await alice.close();
  await bob.told('user_offline', { user_id: world.users.alice.uuid });
  elapsed('offline after the grace', start, 4500, 9000);
  await quiet('carol knows none of them', bob, carol);
  await bob.close();
  await carol.close();
}

await runInNode(import.meta.url, conversation);
