// The wire view and the status page.

import { Person, check, run, sayAll, until } from './harness.mjs';

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
  // Still in the pause: the page asks for rooms by itself.
  await ann.page.getByRole('button', { name: 'Clear' }).click();
  check('cleared', await ann.$('#frames li').count(), 0);
  await ann.page.getByRole('button', { name: 'Go on' }).click();
  const all = await sayAll(1, 1, Array.from({ length: 210 }, (_, place) => `line ${place}`));
  await until('all said', () => ann.texts(), all);
  await until('and bounded', () => ann.$('#frames li').count(), 200);

  const line = ann.$('.message').filter({ hasText: '<b>hi</b>' });
  await line.hover();
  await line.getByRole('button', { name: 'Wire' }).click();
  const paths = ['/chatserver/connect', '/ws', '/stream', '/socket.io/', '/socket.io/'];
  await until('each dialect', () => ann.$('.example h3 code').allTextContents(), paths);
  const examples = await ann.$('.example pre').allTextContents();
  check('each says it', examples.filter((text) => text.includes('<b>hi</b>')).length, paths.length);
  const said = { action: 'room_message', room: 'lobby', user_id: '0', message: '<b>hi</b>' };
  check('in its own words', JSON.parse(examples[0]), said);

  const status = await Person.open('/status');
  await status.page.getByText('Live', { exact: true }).waitFor();
  check('six plots', await status.$('.plot svg').count(), 6);
  const connections = status.$('.plot').first();
  await until('connections by dialect', () => connections.locator('.legend li').nth(1).textContent(), 'event 1');
  await ann.say('so that something happens');
  const messages = status.page.getByRole('img', { name: /^Messages per second: now [^0]|^Messages per second: now 0\.[1-9]/ });
  await messages.waitFor();
});
