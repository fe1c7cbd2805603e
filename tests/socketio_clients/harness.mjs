// What the conversations share, in Node and in a browser: checks, and sockets that keep what they were told. A check
// that fails ends the run; nothing sleeps but where silence is the thing to be seen.

const PATIENCE = 10_000;
const SILENCE = 300;
const WATCHDOG = 60_000;
const TRANSPORTS = { websocket: ['websocket'], polling: ['polling'], upgrade: ['polling', 'websocket'] };

let checks = 0;

const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));

function inTime(what, time, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`expected ${what} got nothing within ${Math.ceil(time)} ms`)), time);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// What a wanted value may be besides itself.
export const isTime = (got) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(got);
export const isMessageId = (got) => typeof got === 'string' && got !== '';
export const isText = (got) => typeof got === 'string' && got !== '';
export const isUuid = (got) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(got);
export const isAbsent = (got) => got === undefined || got === null;

/** A condition that is shown by this name where it fails. */
export const named = (name, condition) => Object.defineProperty(condition, 'name', { value: name });

/** Whether `got` has all that is wanted; fields that nobody asked for are ignored. */
function fits(got, wanted) {
  if (typeof wanted === 'function') return wanted(got);
  if (Array.isArray(wanted)) {
    return Array.isArray(got) && got.length === wanted.length && wanted.every((item, place) => fits(got[place], item));
  }
  if (wanted !== null && typeof wanted === 'object') {
    return got !== null && typeof got === 'object' && Object.keys(wanted).every((key) => fits(got[key], wanted[key]));
  }
  return Object.is(got, wanted);
}

const shown = (value) =>
  JSON.stringify(value, (_, item) => (typeof item === 'function' ? `<${item.name || 'fitting'}>` : item));

export function check(what, got, wanted) {
  if (!fits(got, wanted)) throw new Error(`expected ${shown(wanted)} got ${shown(got)} (${what})`);
  checks += 1;
  console.log(`ok ${what}`);
}

/** Nothing is on its way to these tabs, and nothing was left unread. */
export async function quiet(what, ...tabs) {
  await sleep(SILENCE);
  for (const tab of tabs) check(`${tab.name} is told nothing: ${what}`, tab.events, []);
}

/** Such a time has passed since `start`. Grace and timers are seconds, so the bounds are generous. */
export function elapsed(what, start, least, most) {
  const time = performance.now() - start;
  check(what, time, named(`${least} to ${most} ms`, (got) => got >= least && got <= most));
}

/** All the requests are refused, and in the same words whether they name something real or not. */
export async function refusedAlike(tab, requests) {
  for (const [event, real, unreal] of requests) {
    const refusal = await tab.no(event, real);
    check(`${event}: what is hidden and what is not there are refused alike`, await tab.ask(event, unreal), refusal);
  }
}

/** One connection of a user, as one tab of a browser has it. */
export class Tab {
  constructor(world, name, url, token = world.users[name].token) {
    this.world = world;
    this.name = name;
    this.events = [];
    this.arrival = () => {};
    this.socket = world.io(url + world.namespace, {
      auth: { token },
      autoConnect: false,
      forceNew: true,
      randomizationFactor: 0,
      reconnectionDelay: 1000,
      transports: TRANSPORTS[world.mode],
    });
    this.socket.onAny((event, payload) => {
      // A socket that has not spoken yet is sent the other vocabulary besides.
      if (!world.vocabulary.includes(event)) return;
      this.events.push({ event, payload });
      this.arrival();
    });
  }

  /** Connected, and over the transport that was asked for. The way is `world.near` or `world.far`. */
  static async open(world, name, url) {
    const tab = new Tab(world, name, url);
    const connected = tab.once('connect', 'connect_error');
    tab.socket.connect();
    const refusal = await connected;
    check(`${name} connects`, { connected: tab.socket.connected, refusal }, { connected: true, refusal: undefined });
    check(`${name} is not recovered at first`, tab.socket.recovered, (recovered) => !recovered);
    await tab.onTransport();
    return tab;
  }

  once(...events) {
    const one = new Promise((resolve) => {
      for (const event of events) this.socket.once(event, resolve);
    });
    return inTime(`${events.join(' or ')} at ${this.name}`, PATIENCE, one);
  }

  async onTransport() {
    const { engine } = this.socket.io;
    const wanted = this.world.mode === 'polling' ? 'polling' : 'websocket';
    if (this.world.mode === 'upgrade' && engine.transport.name !== wanted) {
      await inTime('the upgrade', PATIENCE, new Promise((resolve) => engine.once('upgrade', resolve)));
    }
    check(`${this.name} is on ${wanted}`, engine.transport.name, wanted);
  }

  /** The next event of that name. */
  async told(event, wanted) {
    const what = `${event} ${shown(wanted)} at ${this.name}`;
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const place = this.events.findIndex((entry) => entry.event === event);
      if (place >= 0) {
        const [{ payload }] = this.events.splice(place, 1);
        check(`${this.name} is told ${event}`, payload, wanted);
        return payload;
      }
      const arrival = new Promise((resolve) => { this.arrival = resolve; });
      await inTime(what, deadline - performance.now(), arrival);
    }
  }

  /** Asks with an acknowledgement, and returns that. */
  ask(event, payload) {
    const ack = new Promise((resolve) => this.socket.emit(event, payload, resolve));
    return inTime(`an acknowledgement of ${event} at ${this.name}`, PATIENCE, ack);
  }

  /** Asks and is granted it. */
  async ok(event, payload, wanted = {}) {
    const ack = await this.ask(event, payload);
    check(`${this.name} may ${event}`, ack, { ok: true, ...wanted });
    return ack;
  }

  /** Asks and is refused it. */
  async no(event, payload) {
    const ack = await this.ask(event, payload);
    check(`${this.name} may not ${event}`, ack, { ok: false, code: isText, error: isText });
    return ack;
  }

  async close() {
    const gone = this.once('disconnect');
    this.socket.disconnect();
    await gone;
  }

  /** Ends the transport under the socket, which comes back by itself a second later. */
  async cut() {
    const gone = this.once('disconnect');
    this.socket.io.engine.close();
    await gone;
  }

  /** Is back, with the state it had. */
  async recovers(id) {
    if (!this.socket.connected) await this.once('connect');
    const { recovered, id: same } = this.socket;
    check(`${this.name} is recovered`, { recovered, id: same }, { recovered: true, id });
    await this.onTransport();
  }
}

/** A token that nobody signed is refused, and the client does not try again by itself. */
export async function badToken(world) {
  const stranger = new Tab(world, 'stranger', world.near, 'not.a.token');
  const refused = stranger.once('connect_error', 'connect');
  stranger.socket.connect();
  const { message, data } = (await refused) ?? {};
  check('a bad token is refused', { message, data }, { message: isText, data: { code: 'unauthorized' } });
  check('a bad token is not tried again', stranger.socket.active, false);
}

/** Runs a conversation to its end. Returns `PASS` or `FAIL: …`. */
export async function run(conversation, world) {
  try {
    await inTime('the end of the conversation', WATCHDOG, conversation(world));
    console.log(`done ${checks} checks`);
    return 'PASS';
  } catch (error) {
    return `FAIL: ${error.message}`;
  }
}

/** The script's arguments: two URLs, transport, namespace, file with users and chats. NODE_PATH leads to the client. */
export async function runInNode(script, conversation) {
  if (!globalThis.process?.argv) return;
  const { createRequire } = await import('node:module');
  const { readFileSync, realpathSync } = await import('node:fs');
  const { fileURLToPath } = await import('node:url');
  if (realpathSync(process.argv[1]) !== realpathSync(fileURLToPath(script))) return;
  const { io } = createRequire(script)('socket.io-client');
  const [near, far, mode, namespace, file] = process.argv.slice(2);
  const result = await run(conversation, { io, near, far, mode, namespace, ...JSON.parse(readFileSync(file, 'utf8')) });
  if (result !== 'PASS') console.log(result);
  process.exit(result === 'PASS' ? 0 : 1);
}
