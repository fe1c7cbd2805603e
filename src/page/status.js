// The status page: asks /metrics again and again, and plots what an operator looks at first.

import { bytes, byId } from './dom.js';
import { Plot } from './plot.js';

const EVERY = 2_000;
const PATIENCE = 5_000;

/** The samples of a text in Prometheus's format: name with labels to number. */
function samples(text) {
  const found = new Map();
  for (const line of text.split('\n')) {
    const end = line.lastIndexOf(' ');
    if (line.startsWith('#') || end < 0) continue;
    found.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return found;
}

const whole = (number) => Math.round(number).toLocaleString();
const few = (number) => (number < 10 ? number.toFixed(1) : whole(number));
const milliseconds = (number) => `${number < 10 ? number.toFixed(2) : whole(number)} ms`;
const sum = (values) => values.reduce((all, value) => all + value, 0);

/** The dialects in the words of the metrics, and the shorter ones that are shown. */
const DIALECTS = {
  '/chatserver/connect': 'action',
  '/ws': 'event',
  'engine.io websocket': 'Socket.IO',
  'engine.io polling': 'Socket.IO polling',
  stream: 'stream',
  '/echo': 'echo',
  http: 'HTTP',
};

const dialects = Object.keys(DIALECTS);
const plots = {
  connections: new Plot('Connections', { series: Object.values(DIALECTS), show: whole, total: sum }),
  messages: new Plot('Messages per second', { series: ['durable', 'ephemeral'], show: few, total: sum }),
  deliveries: new Plot('Deliveries per second', { show: few }),
  outbox: new Plot('Bytes owed to clients', { show: bytes }),
  queue: new Plot('Jobs waiting for the store', { show: whole }),
  commit: new Plot('Time for a commit', { show: milliseconds }),
};
byId('plots').append(...Object.values(plots).map((plot) => plot.element));

const { search } = location;
byId('metrics-link').href = `/metrics${search}`;
let before = null;
let isPaused = false;

byId('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  byId('pause').textContent = isPaused ? 'Go on' : 'Pause';
  byId('pause').setAttribute('aria-pressed', String(isPaused));
});

/** What a counter has grown by since the last time; after a restart it counts from nothing. */
function growth(now, name) {
  const [value, old] = [now.values.get(name), before?.values.get(name)];
  if (value === undefined || old === undefined) return null;
  return value >= old ? value - old : value;
}

function rate(now, name) {
  const grown = growth(now, name);
  return grown === null ? null : (grown * 1000) / (now.at - before.at);
}

function draw(now) {
  const value = (name) => now.values.get(`roomcast_${name}`) ?? null;
  plots.connections.add(dialects.map((dialect) => value(`connections{dialect="${dialect}"}`) ?? 0));
  plots.messages.add(['durable', 'ephemeral'].map((kind) => rate(now, `roomcast_messages_total{kind="${kind}"}`) ?? 0));
  plots.deliveries.add([rate(now, 'roomcast_deliveries_total')]);
  plots.outbox.add([value('outbox_bytes')]);
  plots.queue.add([value('store_queue')]);
  const commits = growth(now, 'roomcast_store_commit_seconds_count');
  const seconds = growth(now, 'roomcast_store_commit_seconds_sum');
  plots.commit.add([commits > 0 ? (seconds / commits) * 1000 : null]);
  before = now;
}

function tell(phase, text) {
  byId('connection').dataset.phase = phase;
  if (byId('connection-text').textContent !== text) byId('connection-text').textContent = text;
}

async function ask() {
  if (!isPaused) {
    try {
      const answer = await fetch(`/metrics${search}`, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok) throw new Error(await answer.text());
      const values = samples(await answer.text());
      draw({ at: performance.now(), values });
      const isDown = values.get('roomcast_store_up') === 0;
      tell(isDown ? 'offline' : 'online', isDown ? 'The store is down' : 'Live');
    } catch {
      before = null;
      tell('offline', 'No answer');
    }
  }
  setTimeout(ask, EVERY);
}

ask();
