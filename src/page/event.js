// The event dialect, over `/ws`: registered users, any number of rooms that are kept, history, read marks. Frames become
// changes of the state, what somebody wants becomes requests. It has no private messages between users, so none are offered.

import { memory } from './memory.js';
import { Requests, Interrupted, Refused } from './requests.js';

const PAGE_MESSAGES = 50;
/** After an interruption: so many pages of so many messages are read to close the gap, then the room starts anew. */
const GAP_PAGES = 5;
const GAP_PAGE_MESSAGES = 200;
/** Refusals that pass by themselves. */
const PASSING = ['unavailable', 'rate_limited'];
const AGAIN_AFTER = 2_000;
/** The list of all users may be long, and who comes into a room of ours is told anyway. */
const PEOPLE_EVERY = 30_000;

export class EventDialect {
  /** What the views may offer. */
  features = { history: true, names: true, manyRooms: true, privateMessages: false, receipts: true };

  #link;
  #state;
  #outbox;
  #requests;
  #confirming = new Set();
  #flushTimer = null;
  #peopleAt = -Infinity;

  constructor(link, state, outbox) {
    this.#link = link;
    this.#state = state;
    this.#outbox = outbox;
    this.#requests = new Requests(link, (event, payload, id) => ({ event, payload, id }));
  }

  /** A frame has come. */
  receive(text) {
    const { event, id, payload } = JSON.parse(text);
    if (event === 'ack') this.#requests.resolve(id, payload.result);
    else if (event === 'error') this.#requests.reject(id, new Refused(payload.message, payload.code));
    else this.#told[event]?.call(this, payload);
  }

  /** The connection is open: who is this, and what has been missed? */
  async begin() {
    const user = this.#state.me ? { userId: Number(this.#state.me.key), username: this.#state.me.name } : memory.get('user');
    if (!user) {
      // Also to see whether users are kept here at all, before somebody is asked for a name.
      await this.refresh();
      this.#state.needsName = true;
      return this.#state.setConnection('online');
    }
    try {
      await this.#identify(await this.#ask('switch_user', { userId: user.userId }), user.username);
    } catch (error) {
      if (error.code !== 'not_found') throw error;
      // Another server, or another database, stands here now.
      await this.takeName(user.username);
    }
  }

  /** The connection has gone. */
  interrupted() {
    clearTimeout(this.#flushTimer);
    this.#requests.interrupt();
    this.#outbox.interrupted('waiting');
    this.#confirming.clear();
    this.#peopleAt = -Infinity;
    for (const room of this.#state.rooms.values()) room.present.clear();
  }

  /** Becomes the user of this name. One who is there already is taken only if `isMeant`. Returns whether it is done. */
  async takeName(name, isMeant = true) {
    let user;
    try {
      user = await this.#ask('create_user', { username: name });
    } catch (error) {
      if (error.code !== 'already_exists') throw error;
      if (!isMeant) return false;
      const { users } = await this.#ask('get_users', {});
      const known = users.find((candidate) => candidate.username === name.trim());
      if (!known) throw error;
      user = await this.#ask('switch_user', { userId: known.userId });
    }
    await this.#identify(user);
    return true;
  }

  /** What nobody tells us: rooms' members elsewhere, and who is online. */
  async refresh() {
    const isDue = performance.now() - this.#peopleAt > PEOPLE_EVERY;
    const [{ rooms }] = await Promise.all([this.#ask('get_rooms', {}), isDue && this.#refreshPeople()]);
    const state = this.#state;
    const listed = new Set();
    for (const { roomId, roomName, ownerId, memberCount } of rooms) {
      const room = state.putRoom(String(roomId), roomName);
      Object.assign(room, { ownerKey: ownerId === null ? null : String(ownerId), count: memberCount });
      listed.add(room.key);
    }
    for (const key of state.rooms.keys()) if (!listed.has(key)) state.dropRoom(key);
    state.changed();
  }

  async #refreshPeople() {
    const { users } = await this.#ask('get_users', {});
    this.#peopleAt = performance.now();
    const { people } = this.#state;
    const known = new Set(users.map((user) => this.#state.putPerson(person(user)).key));
    for (const key of people.keys()) if (!known.has(key)) people.delete(key);
  }

  async createRoom(name) {
    const { roomId, roomName } = await this.#ask('create_room', { roomName: name });
    this.#state.putRoom(String(roomId), roomName).ownerKey = this.#state.me.key;
    await this.enterRoom(String(roomId));
  }

  /** Joins, if need be, and shows it. */
  async enterRoom(key) {
    const room = this.#state.rooms.get(key);
    if (!room) return;
    if (!room.isJoined) await this.#join(room);
    this.#state.show(key);
    this.#remember();
    this.flush();
  }

  async leaveRoom(key) {
    const room = this.#state.rooms.get(key);
    await this.#ask('leave_room', { roomId: Number(key) });
    room.isJoined = false;
    room.count = Math.max(0, room.count - 1);
    room.present.clear();
    room.clear();
    this.#state.hide(key);
    this.#remember();
  }

  /** The page before what is shown. */
  async loadOlder(room) {
    if (!room.hasOlder || room.isLoading) return;
    await this.#load(room, room.firstId);
  }

  /** What is newest, when it is not here; see `Room.isLive`. */
  async loadNewest(room) {
    room.clear();
    await this.#load(room, null);
  }

  async deleteMessage(message) {
    await this.#ask('delete_message', { messageId: message.id });
  }

  /** Somebody has really seen this message. */
  async confirm(message) {
    if (message.isMine || message.isRead || this.#confirming.has(message.id)) return;
    this.#confirming.add(message.id);
    try {
      await this.#ask('post_readconfirmation', { messageId: message.id });
      message.isRead = true;
    } finally {
      this.#confirming.delete(message.id);
    }
  }

  /** Sends what waits, all at once and in order. The server knows a repeat by its `clientId`. */
  flush() {
    for (const entry of this.#outbox.waiting) {
      if (!this.#state.isOnline || !this.#state.rooms.get(entry.roomKey)?.isJoined) continue;
      this.#outbox.mark(entry, 'sending');
      this.#say(entry);
    }
  }

  async #say(entry) {
    const { roomKey, text, clientId } = entry;
    try {
      const told = await this.#ask('send_message', { roomId: Number(roomKey), text, clientId });
      this.#outbox.remove(entry);
      const room = this.#state.rooms.get(roomKey);
      room?.receive(this.#message({ ...told, text, userId: Number(this.#state.me.key), username: this.#state.me.name }));
    } catch (error) {
      if (error instanceof Interrupted) return;
      if (!PASSING.includes(error.code)) return this.#outbox.mark(entry, 'failed', error.message);
      this.#outbox.mark(entry, 'waiting', error.message);
      clearTimeout(this.#flushTimer);
      this.#flushTimer = setTimeout(() => this.flush(), AGAIN_AFTER);
    }
  }

  #ask(event, payload) {
    return this.#requests.ask(event, payload);
  }

  async #identify({ userId, username }) {
    const state = this.#state;
    const key = String(userId);
    memory.set('user', { userId, username });
    if (state.me && state.me.key !== key) return this.#startAnew();
    state.me = state.putPerson({ key, name: username, online: true });
    state.needsName = false;
    this.#outbox.belongTo(key, true);
    await this.refresh();
    await this.#return();
    state.setConnection('online');
    this.flush();
  }

  /** Somebody else sits here now. A connection keeps its rooms, whoever it belongs to, so theirs is another one. */
  #startAnew() {
    Object.assign(this.#state, { me: null, current: null });
    this.#state.rooms.clear();
    this.#link.drop('');
  }

  /** Into the rooms that one was in, here or on the last visit. */
  async #return() {
    const state = this.#state;
    const kept = memory.get(`rooms.${state.me.key}`, { joined: [], current: null });
    const joined = new Set([...state.rooms.values()].filter((room) => room.isJoined).map((room) => room.key));
    for (const key of kept.joined) joined.add(key);
    const lobby = [...state.rooms.values()].find((room) => room.name === 'lobby');
    if (joined.size === 0 && lobby) joined.add(lobby.key);
    const rooms = [...joined].map((key) => state.rooms.get(key)).filter(Boolean);
    const joins = await Promise.allSettled(rooms.map((room) => this.#join(room)));
    // A room that is not open to us any more is no reason to stay away from the others.
    const isGeneral = ({ reason }) => reason instanceof Interrupted || PASSING.includes(reason?.code);
    const failure = joins.find(isGeneral);
    if (failure) throw failure.reason;
    if (!state.room) state.show(state.rooms.has(kept.current) ? kept.current : (rooms[0]?.key ?? null));
    this.#remember();
  }

  async #join(room) {
    // Kept until the gap is closed: the connection may go in the middle of that.
    room.gapAfter ??= room.lastId;
    const { gapAfter } = room;
    try {
      await this.#ask('join_room', { roomId: Number(room.key) });
    } catch (error) {
      if (error instanceof Refused) room.isJoined = false;
      throw error;
    }
    room.count += 1;
    room.isJoined = true;
    room.present.set(this.#state.me.key, this.#state.me);
    if (gapAfter === 0) await this.#load(room, null);
    else if (room.isLive) await this.#closeGap(room, gapAfter);
    room.gapAfter = null;
    room.seen = Math.max(room.seen, this.#state.seenBefore(room) ?? room.lastId);
    this.#state.changed();
  }

  /** Reads back from the newest message to the last that was here. Those that came live meanwhile are in their places. */
  async #closeGap(room, lastId) {
    let before;
    for (let page = 0; page < GAP_PAGES; page += 1) {
      const { messages, nextBefore } = await this.#page(room, before, GAP_PAGE_MESSAGES);
      const missed = messages.filter(({ id, isMine }) => isMine && id > lastId && !room.byId.has(id));
      for (const { text } of missed) this.#outbox.recognise(room.key, text);
      room.receivePage(messages, nextBefore !== null);
      if (nextBefore === null || messages[0].id <= lastId) return;
      before = nextBefore;
    }
    await this.loadNewest(room);
  }

  async #load(room, before) {
    room.isLoading = true;
    this.#state.changed();
    try {
      const { messages, nextBefore } = await this.#page(room, before ?? undefined, PAGE_MESSAGES);
      room.receivePage(messages, nextBefore !== null);
      if (messages.length === 0) room.hasOlder = false;
    } finally {
      room.isLoading = false;
      this.#state.changed();
    }
  }

  async #page(room, before, limit) {
    const { messages, nextBefore } = await this.#ask('get_messages', { roomId: Number(room.key), before, limit });
    return { messages: messages.map((told) => this.#message(told)), nextBefore };
  }

  #message({ messageId, userId, username, text, createdAt, readBy, readSelf }) {
    const message = { id: messageId, text, at: new Date(createdAt), from: person({ userId, username }) };
    message.isMine = userId !== null && message.from.key === this.#state.me?.key;
    if (readBy !== undefined) Object.assign(message, { readBy, isRead: readSelf });
    return message;
  }

  #remember() {
    const rooms = [...this.#state.rooms.values()].filter((room) => room.isJoined);
    memory.set(`rooms.${this.#state.me.key}`, { joined: rooms.map((room) => room.key), current: this.#state.current });
  }

  /** What the server says unasked, by its word. */
  #told = {
    __proto__: null,
    new_message({ roomId, ...told }) {
      const room = this.#state.rooms.get(String(roomId));
      if (!room) return;
      const message = this.#message(told);
      if (message.isMine) this.#outbox.recognise(room.key, message.text);
      room.receive(message);
      room.present.set(message.from.key, message.from);
      this.#state.changed();
    },
    message_deleted({ roomId, messageId }) {
      this.#state.rooms.get(String(roomId))?.remove(messageId);
      this.#state.changed();
    },
    readconfirmation_updated({ roomId, messageId, userId, readBy }) {
      const room = this.#state.rooms.get(String(roomId));
      const isRead = String(userId) === this.#state.me?.key;
      if (room?.byId.has(messageId)) room.receive({ id: messageId, readBy, ...(isRead && { isRead }) });
      this.#state.changed();
    },
    user_joined({ roomId, userId, username }) {
      this.#movement(roomId, person({ userId, username }), 'joined');
    },
    user_left({ roomId, userId, username }) {
      this.#movement(roomId, person({ userId, username }), 'left');
    },
    user_updated(user) {
      this.#state.putPerson(person(user));
      if (String(user.userId) === this.#state.me?.key) memory.set('user', user);
    },
    user_deleted({ userId }) {
      this.#state.people.delete(String(userId));
      this.#state.changed();
    },
    room_created({ roomId, roomName, userId }) {
      this.#state.putRoom(String(roomId), roomName).ownerKey = userId === null ? null : String(userId);
    },
    room_updated({ roomId, roomName }) {
      this.#state.putRoom(String(roomId), roomName);
    },
    room_deleted({ roomId }) {
      const room = this.#state.rooms.get(String(roomId));
      if (room?.isJoined) this.#state.notice(`The room ${room.name} was deleted.`);
      this.#state.dropRoom(String(roomId));
    },
  };

  #movement(roomId, who, kind) {
    const room = this.#state.rooms.get(String(roomId));
    if (!room) return;
    room.note(kind, who);
    room.count = Math.max(0, room.count + (kind === 'joined' ? 1 : -1));
    if (kind === 'joined') room.present.set(who.key, who);
    else room.present.delete(who.key);
    const known = this.#state.people.get(who.key);
    if (kind === 'joined' && who.key) this.#state.putPerson({ ...known, ...who, online: true });
    this.#state.changed();
  }
}

/** Who is no registered user has a name that nobody else has, and no id. */
function person({ userId, username, online }) {
  const named = { key: userId === null ? `guest ${username}` : String(userId), name: username };
  return online === undefined ? named : { ...named, online };
}
