// What the stories share: a browser, people who use the page in it, each with a profile of their own, and the server, which the
// test that runs a story stops and starts when it is asked to. Found by NODE_PATH: playwright-core. Argument: the server's URL.
//
// Nothing sleeps: whatever is expected is waited for. Whatever the browser complains of on its console fails the story.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const { chromium } = createRequire(import.meta.url)('playwright-core');
const PATIENCE = 15_000;
const WATCHDOG = 90_000;

/** Ways to the server, perhaps to several nodes: people come by each of them in turn. */
const urls = process.argv.slice(2);
export const [url] = urls;
let checks = 0;
let browser = null;
const crowd = [];
let opened = 0;

/** Checks that are as good as their message. */
export function check(what, got, wanted) {
  assert.deepEqual(got, wanted, what);
  checks += 1;
}

/** Asks until it is as wanted. */
export async function until(what, ask, wanted) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const got = await ask();
    try {
      assert.deepEqual(got, wanted);
      checks += 1;
      return;
    } catch {
      if (Date.now() > deadline) assert.deepEqual(got, wanted, what);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }
}

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has the server `kill`ed, `stop`ped, `freeze`d, `thaw`ed or `start`ed, and waits until that is done. */
export async function server(order) {
  console.log(`server ${order}`);
  const { value } = await answers.next();
  assert.equal(value, 'ok');
}

/** A request to the database API. */
export async function api(method, path, body) {
  const answer = await fetch(url + path, { method, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.json();
}

/** Has a user say all of that in a room, in whatever order. Returns what is said in the room then, in its order. */
export async function sayAll(UserID, RoomID, texts) {
  for (let first = 0; first < texts.length; first += 20) {
    const some = texts.slice(first, first + 20);
    await Promise.all(some.map((Message) => api('POST', '/messages', { UserID, RoomID, Message })));
  }
  return (await api('GET', `/messages?RoomID=${RoomID}`)).map(({ Message }) => Message);
}

/** Somebody at a browser. */
export class Person {
  static async open(path = '/', options = {}) {
    const person = new Person();
    person.complaints = [];
    person.allowed = [];
    person.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    person.context.setDefaultTimeout(PATIENCE);
    person.page = await person.context.newPage();
    person.page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) person.complaints.push(message.text());
    });
    person.page.on('pageerror', (error) => person.complaints.push(error.stack));
    person.page.on('dialog', (dialog) => {
      person.complaints.push(`a script said ${dialog.message()}`);
      dialog.dismiss();
    });
    await person.page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
        console.error(`policy: ${violatedDirective} ${blockedURI}`);
      });
    });
    await person.page.goto(urls[opened++ % urls.length] + path);
    crowd.push(person);
    return person;
  }

  /** A newcomer who has chosen a name. */
  static async named(name, options) {
    const person = await Person.open('/', options);
    await person.choose(name);
    return person;
  }

  async choose(name) {
    await this.page.getByLabel('Your name').fill(name);
    await this.page.keyboard.press('Enter');
    await this.isIn('lobby');
  }

  /** Complaints like this are what the story is about. */
  allow(pattern) {
    this.allowed.push(pattern);
  }

  $(selector, options) {
    return this.page.locator(selector, options);
  }

  async isIn(room) {
    await this.page.locator('#room-name', { hasText: room }).waitFor();
    await this.page.locator('#text:not([disabled])').waitFor();
  }

  async isConnected() {
    await this.page.locator('#connection[data-phase="online"]').waitFor();
  }

  async enter(room) {
    await this.$('#room-list button').filter({ hasText: room }).click();
    await this.isIn(room);
  }

  async make(room) {
    await this.page.getByRole('button', { name: 'New room' }).click();
    await this.page.getByLabel('Name of the room').fill(room);
    await this.page.keyboard.press('Enter');
    await this.isIn(room);
  }

  async say(text) {
    await this.$('#text').fill(text);
    await this.$('#text').press('Enter');
  }

  /** All that is shown of the room, pending lines included. */
  texts() {
    return this.$('#log .message .text').allTextContents();
  }

  async sees(...texts) {
    await until(`${texts} shown`, () => this.texts(), texts);
  }

  /** One room's line in the list, as it is read out. */
  room(name) {
    return this.$('#room-list button').filter({ hasText: name }).getAttribute('aria-label');
  }

  complained() {
    return this.complaints.filter((text) => !this.allowed.some((pattern) => pattern.test(text)));
  }
}

/** While a server is away the browser says so on its console. */
export const AWAY = /ERR_CONNECTION_|ERR_EMPTY_RESPONSE|ERR_SOCKET|WebSocket connection to/;

/** Runs a story to its end, and then looks whether any browser has complained. */
export async function run(story) {
  const watchdog = setTimeout(() => {
    console.log('took too long');
    process.exit(1);
  }, WATCHDOG);
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
    ],
  });
  let isDone = false;
  try {
    await story();
    for (const person of crowd) check('no complaint on the console', person.complained(), []);
    isDone = true;
  } catch (error) {
    console.log(error.stack);
    for (const person of crowd) {
      console.log('complaints', person.complained(), 'shown', await person.$('body').innerText().catch(String));
    }
  }
  await browser.close();
  clearTimeout(watchdog);
  console.log(isDone ? `done ${checks} checks` : 'failed');
  process.exit(isDone ? 0 : 1);
}
