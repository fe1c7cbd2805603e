// The action dialect, over `/chatserver/connect`: guests without names, one room at a time, private messages; no history and
// no ids. What was said before one came is not to be had, and a message without an answer is marked, not sent twice.

import { Requests, Interrupted, Refused } from './requests.js';
import { memory } from './memory.js';

/** Of more rooms the members are not counted: each takes a request. */
const MOST_COUNTED = 30;

let lastId = 0;
const nextId = () => {
  lastId += 1;
  return lastId;
};

export class ActionDialect {
  /** What the views may offer. */
  features = { history: false, names: false, manyRooms: false, privateMessages: true, receipts: false };

  #state;
  #outbox;
  #requests;
  #greeted = () => {};

  constructor(link, state, outbox) {
    this.#state = state;
    this.#outbox = outbox;
    this.#requests = new Requests(link, (action, fields) => ({ action, ...fields }));
    outbox.belongTo('guest', false);
  }

  receive(text) {
    const frame = JSON.parse(text);
    const { first } = this.#requests;
    if (frame.action === 'connection') return this.#greeted(frame.user_id);
    if (frame.action === 'error') return first && this.#requests.reject(first.id, new Refused(frame.message));
    if (first && answers(frame, first)) return this.#requests.resolve(first.id, frame);
    this.#told[frame.action]?.call(this, frame);
  }

  /** Every connection is another guest. */
  async begin() {
    const state = this.#state;
    const number = await new Promise((resolve) => { this.#greeted = resolve; });
    state.me = guest(number);
    for (const room of [...state.rooms.values()]) if (room.kind === 'private') this.#end(room);
    const joined = [...state.rooms.values()].find((room) => room.isJoined);
    const shown = state.current;
    await this.#join(joined?.key ?? memory.get('room', 'lobby'));
    if (state.rooms.has(shown)) state.show(shown);
    state.setConnection('online');
    this.flush();
  }

  interrupted() {
    this.#requests.interrupt();
    this.#outbox.interrupted('unknown');
  }

  async refresh() {
    const state = this.#state;
    const { rooms } = await this.#ask('rooms', {});
    const listed = new Set(rooms);
    for (const name of rooms) state.putRoom(name, name);
    for (const room of [...state.rooms.values()]) {
      if (room.kind === 'room' && !listed.has(room.key) && !room.isJoined) state.dropRoom(room.key);
    }
    await Promise.all(rooms.slice(0, MOST_COUNTED).map((name) => this.#count(name)));
  }

  /** Here joining makes the room. */
  createRoom(name) {
    return this.enterRoom(name.trim());
  }

  async enterRoom(key) {
    const room = this.#state.rooms.get(key);
    if (room?.kind === 'private' || room?.isJoined) this.#state.show(key);
    else await this.#join(key);
    this.flush();
  }

  async leaveRoom(key) {
    const room = this.#state.rooms.get(key);
    if (room.kind === 'room') {
      await this.#ask('leave', {});
      this.#hasLeft(room);
      await this.refresh();
    } else {
      this.#state.dropRoom(key);
    }
    this.#state.hide(key);
  }

  /** A conversation with one person. */
  openPrivate(person) {
    this.#private(person);
    this.#state.show(person.key);
  }

  loadOlder() {}

  loadNewest() {}

  confirm() {}

  /** Sends what waits and can be said now. */
  flush() {
    for (const entry of this.#outbox.waiting) {
      const room = this.#state.rooms.get(entry.roomKey);
      if (!this.#state.isOnline || !room || room.isOver || (room.kind === 'room' && !room.isJoined)) continue;
      this.#outbox.mark(entry, 'sending');
      this.#say(room, entry);
    }
  }

  async #say(room, entry) {
    try {
      if (room.kind === 'room') await this.#ask('room_message', { message: entry.text });
      else await this.#ask('private_message', { user_id: room.key.slice(1), message: entry.text });
      this.#outbox.remove(entry);
      this.#said(room, this.#state.me, entry.text, true);
    } catch (error) {
      if (!(error instanceof Interrupted)) this.#outbox.mark(entry, 'failed', error.message);
    }
  }

  #ask(action, fields) {
    return this.#requests.ask(action, fields);
  }

  async #join(name) {
    const left = [...this.#state.rooms.values()].find((room) => room.isJoined);
    await this.#ask('join', { room: name });
    if (left && left.key !== name) this.#hasLeft(left);
    const room = this.#state.putRoom(name, name);
    room.isJoined = true;
    this.#state.show(name);
    memory.set('room', name);
    await this.refresh();
  }

  #hasLeft(room) {
    room.isJoined = false;
    room.present.clear();
  }

  async #count(name) {
    let participants = [];
    try {
      ({ participants } = await this.#ask('participants', { room: name }));
    } catch (error) {
      // It may have gone with its last member since it was listed.
      if (error instanceof Interrupted) throw error;
    }
    const room = this.#state.rooms.get(name);
    if (!room) return;
    room.count = participants.length;
    if (room.isJoined) {
      room.present = new Map(participants.map(guest).map((person) => [person.key, person]));
    }
    this.#state.changed();
  }

  /** Guests are who they are for one connection. Their numbers may be others' when the server has been started anew. */
  #end(room) {
    if (room.isOver) return;
    const [{ rooms, current }, key] = [this.#state, `${room.key} ${nextId()}`];
    for (const entry of this.#outbox.of(room.key)) this.#outbox.mark(entry, 'failed', 'the conversation has ended');
    rooms.delete(room.key);
    rooms.set(key, room);
    if (current === room.key) this.#state.current = key;
    Object.assign(room, { key, isOver: true });
    room.present.clear();
  }

  #private(person) {
    const room = this.#state.putRoom(person.key, person.name, 'private');
    room.present.set(person.key, person);
    return room;
  }

  #said(room, from, text, isMine) {
    room.receive({ id: nextId(), from, text, at: new Date(), isMine });
    if (isMine) this.#state.see(room, lastId);
    this.#state.changed();
  }

  #told = {
    __proto__: null,
    room_message({ room: name, user_id, message }) {
      const room = this.#state.rooms.get(name);
      if (room) this.#said(room, guest(user_id), message, false);
    },
    private_message({ user_id, message }) {
      const from = guest(user_id);
      this.#said(this.#private(from), from, message, false);
    },
    join({ room: name, user_id }) {
      this.#movement(name, guest(user_id), 'joined');
    },
    leave({ room: name, user_id }) {
      if (user_id !== undefined) return this.#movement(name, guest(user_id), 'left');
      const room = this.#state.rooms.get(name);
      if (!room) return;
      this.#hasLeft(room);
      this.#state.notice(`The room ${name} was deleted.`);
      this.#state.dropRoom(name);
    },
  };

  #movement(name, who, kind) {
    const room = this.#state.rooms.get(name);
    if (!room) return;
    room.note(kind, who);
    if (kind === 'joined') room.present.set(who.key, who);
    else room.present.delete(who.key);
    room.count = room.present.size;
    this.#state.changed();
  }
}

/** A key that no room can have: names have no control characters. */
const guest = (number) => ({ key: `\u0000${number}`, name: `guest-${number}`, online: true });

/** Answers come in the order of the requests, with events between; an event names who did it, an answer does not. */
function answers(frame, { what, fields }) {
  if (frame.action !== what) return false;
  if (what === 'private_message') return frame.user_id === fields.user_id && frame.message === fields.message;
  return frame.user_id === undefined;
}
