// The wire view and the status page.

import { Person, check, run, until } from './harness.mjs';

const EXAMPLES = [
  { dialect: 'action', path: '/chatserver/connect', text: '{"action":"room_message","room":"lobby","user_id":"0","message":"<b>hi</b>"}' },
  { dialect: 'stream', path: '/stream', text: 'id: 1\ndata: {"type":"new_message"}\n' },
];

run(async () => {
  const ann = await Person.named('ann');
  await ann.page.getByRole('button', { name: 'Wire' }).first().click();
  await ann.say('<b>hi</b>');
  const frames = (direction, text) => ann.$(`#frames .${direction}`).filter({ hasText: text });
  await frames('out', '"send_message"').waitFor();
  await frames('in', '"new_message"').waitFor();
  const raw = () => frames('in', '"new_message"').first().locator('pre').textContent();
  check('pretty has lines', (await raw()).includes('\n'), true);
  await ann.page.getByLabel('Pretty').uncheck();
  const frame = await raw();
  check('raw is as it came', frame.startsWith('{"event":"new_message","payload":{"messageId":'), true);
  const size = await frames('in', '"new_message"').first().locator('.quiet').textContent();
  check('the size is in bytes', size, `${Buffer.byteLength(frame)} B`);

  await ann.page.getByRole('button', { name: 'Pause' }).click();
  const before = await ann.$('#frames li').count();
  await ann.say('while it pauses');
  await ann.sees('<b>hi</b>', 'while it pauses');
  check('nothing is added in a pause', await ann.$('#frames li').count(), before);
  await ann.page.getByRole('button', { name: 'Go on' }).click();
  await ann.page.getByRole('button', { name: 'Clear' }).click();
  check('cleared', await ann.$('#frames li').count(), 0);
  for (let number = 0; number < 110; number += 1) await ann.say(`line ${number}`);
  await until('all said', async () => (await ann.texts()).at(-1), 'line 109');
  await until('and bounded', () => ann.$('#frames li').count(), 200);

  // That the examples are true is for the server's own tests; here they are shown, as text.
  let asked = null;
  await ann.page.route('**/wire?*', (route) => {
    asked = Object.fromEntries(new URL(route.request().url()).searchParams);
    return route.fulfill({ json: EXAMPLES });
  });
  const line = ann.$('.message').filter({ hasText: '<b>hi</b>' });
  await line.hover();
  await line.getByRole('button', { name: 'Wire' }).click();
  await until('each dialect', () => ann.$('.example h3 code').allTextContents(), EXAMPLES.map(({ path }) => path));
  check('asked for that message', asked, { room: 'lobby', name: 'ann', text: '<b>hi</b>' });
  check('in its own words', await ann.$('.example pre').allTextContents(), EXAMPLES.map(({ text }) => text));

  const status = await Person.open('/status');
  await status.page.getByText('Live', { exact: true }).waitFor();
  check('six plots', await status.$('.plot svg').count(), 6);
  const connections = status.$('.plot').first();
  await until('connections by dialect', () => connections.locator('.legend li').nth(1).textContent(), 'event 1');
  await ann.say('so that something happens');
  const messages = status.page.getByRole('img', { name: /^Messages per second: now [^0]|^Messages per second: now 0\.[1-9]/ });
  await messages.waitFor();
});
