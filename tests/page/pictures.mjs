// The page as a newcomer sees it, wide and narrow, light and dark: pictures to look at, into the folder that PICTURES names.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { Person, api, check, run, until } from './harness.mjs';

const TALK = [
  ['ann', 'Good morning! The kettle is on.'],
  ['bob', 'Morning. Is there any of the Darjeeling left?'],
  ['carol', 'Two spoons, I think. The rest went with the visitors.'],
  ['ann', 'I can get some on the way back.\nAnything else while I am there?'],
  ['bob', 'Milk, and those biscuits with the ginger.'],
  ['dana', 'صباح الخير! سأكون هناك الساعة 10:30، احتفظوا لي بكوب.'],
  ['carol', 'Of course. By the way, the server has been up for forty days now.'],
  ['ann', 'And nobody noticed. That is how I like it.'],
];

const folder = process.env.PICTURES;

async function take(person, name, width, colorScheme) {
  await person.page.mouse.move(width / 2, 90);
  await person.page.setViewportSize({ width, height: width < 500 ? 780 : 720 });
  await person.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  const picture = await person.page.screenshot({ path: join(folder, `${name}.png`) });
  check(`${name} shows something`, picture.length > 8_000, true);
}

run(async () => {
  mkdirSync(folder, { recursive: true });
  const ids = {};
  for (const name of ['ann', 'bob', 'carol', 'dana', 'eve']) ids[name] = (await api('POST', '/user', { Username: name })).ID;
  for (const name of ['tea', 'gardening', 'trains', 'release']) await api('POST', '/rooms', { UserID: ids.eve, Roomname: name });
  const people = [];
  for (const name of ['bob', 'carol', 'dana', 'ann']) {
    const person = await Person.open();
    await person.page.getByLabel('Your name').fill(name);
    await person.page.keyboard.press('Enter');
    await person.page.getByRole('button', { name: 'That is me' }).click();
    await person.isIn('lobby');
    people.push(person);
  }
  const [bob, carol, dana, ann] = people;
  const names = { bob, carol, dana, ann };
  await ann.enter('tea');
  for (const person of [bob, carol, dana]) await person.enter('tea');
  await ann.enter('gardening');
  await carol.enter('gardening');
  await ann.enter('release');
  await carol.say('The tulips are in.');
  await carol.enter('tea');
  await ann.enter('tea');
  let said = 0;
  for (const [name, text] of TALK) {
    await names[name].say(text);
    said += 1;
    await until('heard', () => ann.texts().then((texts) => texts.length), said);
  }
  await ann.$('.message.mine').last().getByRole('img', { name: 'Read by 3' }).waitFor();
  await carol.enter('gardening');
  await carol.say('And the roses are cut.');
  await until('unread', () => ann.room('gardening'), 'gardening, 2 members, 2 unread, joined');
  await take(ann, 'desktop-light', 1280, 'light');
  await take(ann, 'phone-light', 390, 'light');
  await take(ann, 'phone-dark', 390, 'dark');
  await ann.$('#rooms-button').click();
  await take(ann, 'phone-rooms', 390, 'light');
  await ann.page.keyboard.press('Escape');
  await ann.$('#rooms:not(.open)').waitFor({ state: 'attached' });

  await take(ann, 'desktop-dark', 1280, 'dark');
  const line = ann.$('.message').filter({ hasText: 'biscuits' });
  await line.hover();
  await line.getByRole('button', { name: 'Wire' }).click();
  await ann.$('.example').first().waitFor();
  await take(ann, 'wire-dark', 1280, 'dark');
  await ann.page.getByRole('tab', { name: 'Frames' }).click();
  await take(ann, 'wire-light', 1280, 'light');

  const status = await Person.open('/status');
  await status.page.getByText('Live', { exact: true }).waitFor();
  for (let number = 0; number < 20; number += 1) await bob.say(`one more, ${number}`);
  await status.page.getByRole('img', { name: /^Messages per second: now [1-9]/ }).waitFor();
  await take(status, 'status-light', 1280, 'light');
  await take(status, 'status-phone', 390, 'dark');
});
