// The chat, put together: the connection, the dialect that is spoken over it, what is known, and the views of that.

import { address, eventAccess, isWithoutStore, keyQuery, setKey } from './access.js';
import { ActionDialect } from './action.js';
import { Composer } from './composer.js';
import { askKey, askName, askRoom, sentence } from './dialogs.js';
import { avatar, byId, count, nameTag, plain } from './dom.js';
import { EventDialect } from './event.js';
import { Link } from './link.js';
import { Log } from './log.js';
import { Outbox } from './outbox.js';
import { Interrupted } from './requests.js';
import { Sides } from './sides.js';
import { State } from './state.js';
import { Wire } from './wire.js';

/** So often the rooms' members are asked for. It also shows whether the connection is alive. */
const REFRESH = 5_000;

const state = new State();
const outbox = new Outbox(() => state.changed());
const link = new Link(knock);
let dialect = null;
let path = null;
let isKeyWrong = false;

/** Where to connect to: asked before every attempt, since what is open to us may have changed. */
async function knock() {
  state.setConnection('connecting');
  if (!dialect) await choose();
  else if (path === '/ws' && (await eventAccess()) !== 'open') {
    state.setConnection('closed', { reason: 'the server asks for another key: reload the page' });
    return null;
  }
  return address(`${path}${path === '/ws' ? keyQuery() : ''}`);
}

/** The event dialect where it is open to us, else the action dialect. */
async function choose() {
  let access = await eventAccess();
  while (access === 'key') {
    const isGiven = await askKey(isKeyWrong, setKey);
    if (!isGiven) break;
    access = await eventAccess();
    isKeyWrong = access === 'key';
  }
  speak(access === 'open' ? EventDialect : ActionDialect);
}

function speak(Dialect) {
  dialect = new Dialect(link, state, outbox);
  path = Dialect === EventDialect ? '/ws' : '/chatserver/connect';
  state.features = dialect.features;
  byId('status-link').href = `/status${keyQuery()}`;
}

link.addEventListener('open', async () => {
  try {
    await dialect.begin();
    if (!state.needsName) return;
    await askName(dialect);
    composer.focus();
  } catch (error) {
    if (error instanceof Interrupted) return;
    if (error.code === 'unavailable' && (await isWithoutStore())) speak(ActionDialect);
    link.drop(error.message);
  }
});
link.addEventListener('frame', ({ detail }) => dialect.receive(detail));
link.addEventListener('gone', ({ detail }) => {
  dialect?.interrupted();
  state.setConnection('offline', detail);
});

/** What goes wrong with something that somebody asked for is said once. Returns whether it went well. */
async function attempt(promise) {
  try {
    await promise;
    return true;
  } catch (error) {
    if (error instanceof Interrupted) state.notice('That did not get through: the connection was lost.');
    else state.notice(sentence(error.message));
    return false;
  }
}

const actions = {
  dialect: () => dialect,
  enterRoom: (key) => attempt(dialect.enterRoom(key)),
  openPrivate: (person) => dialect.openPrivate(person),
  loadOlder: (room) => attempt(dialect.loadOlder(room)),
  loadNewest: (room) => attempt(dialect.loadNewest(room)),
  // A mark that is refused is nobody's loss.
  confirm: (message) => dialect.confirm(message)?.catch(() => {}),
  showWire: (room, message) => wire.showMessage(room, message),
  again(entry) {
    outbox.mark(entry, 'waiting');
    dialect.flush();
  },
};

const log = new Log(state, outbox, actions);
const sides = new Sides(state, actions);
const wire = new Wire(link);
const composer = new Composer(state, (key, text) => {
  outbox.add(key, text);
  dialect.flush();
  log.toEnd();
});

state.addEventListener('change', render);
state.addEventListener('notice', ({ detail }) => toast(detail));

function render() {
  renderConnection();
  renderHead();
  sides.render();
  log.render();
  composer.render();
  document.title = title();
}

function title() {
  const { unread, room } = state;
  const name = room ? `${plain(room.name)} – Roomcast` : 'Roomcast';
  return unread > 0 ? `(${unread}) ${name}` : name;
}

function renderConnection() {
  const { phase, retryAt, reason } = state.connection;
  const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const words = {
    starting: 'Starting…',
    connecting: 'Connecting…',
    online: 'Connected',
    offline: reason ? `Offline: ${reason}` : 'Offline',
    closed: sentence(reason ?? 'closed'),
  };
  byId('connection').dataset.phase = phase;
  byId('connection').title = reason ? sentence(reason) : '';
  // Only when it differs: it is read out each time.
  if (byId('connection-text').textContent !== words[phase]) byId('connection-text').textContent = words[phase];
  byId('countdown').textContent = phase === 'offline' ? `next try in ${seconds} s` : '';
  byId('retry').hidden = phase !== 'offline';
  byId('create-room').disabled = phase !== 'online' || !state.me;
}

function renderHead() {
  const { me, room } = state;
  byId('me').hidden = !me;
  if (me && byId('me').dataset.name !== me.name) {
    byId('me').dataset.name = me.name;
    byId('me').replaceChildren(avatar(me.name), nameTag(me.name));
    const change = state.features.names ? ': change' : '';
    byId('me').setAttribute('aria-label', `You are ${plain(me.name)}${change}`);
  }
  byId('me').disabled = !state.features.names;
  byId('room-name').replaceChildren(room ? nameTag(room.name) : 'No room yet');
  byId('room-facts').textContent = roomFacts(room);
  byId('leave-room').hidden = !room || !(room.isJoined || room.kind === 'private');
}

function roomFacts(room) {
  if (!room) return 'Choose one at the side, or make one.';
  if (room.kind === 'private') return 'Private, between the two of you';
  const kept = state.features.history ? 'kept' : 'this connection’s only';
  return `${count(room.count, 'member', 'members')} · history ${kept}`;
}

let toastTimer = null;
function toast(text) {
  byId('toast').textContent = text;
  byId('toast').classList.add('shown');
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    byId('toast').classList.remove('shown');
    byId('toast').textContent = '';
  }, 6_000);
}

byId('retry').addEventListener('click', () => link.connect());
byId('create-room').addEventListener('click', async () => {
  if (await askRoom(dialect, state.features.history)) {
    sides.close();
    composer.focus();
  }
});
byId('leave-room').addEventListener('click', () => attempt(dialect.leaveRoom(state.current)));
byId('me').addEventListener('click', () => askName(dialect, state.me.name));
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || byId('dialog').open) return;
  if (sides.isOpen) sides.close();
  else if (wire.isOpen) wire.close();
  else composer.focus();
});

setInterval(() => {
  if (state.isOnline && state.me && document.visibilityState === 'visible') dialect.refresh().catch(() => {});
}, REFRESH);
setInterval(() => state.connection.phase === 'offline' && renderConnection(), 500);

state.changed();
link.connect();
