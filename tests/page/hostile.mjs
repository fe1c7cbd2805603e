// Names and texts that want to be more than text.

import { Person, check, run, until } from './harness.mjs';

const NAME = '<img src=x onerror=alert(1)>\u202Etxt.exe';
const ROOM = '"><script>alert(2)</script>\u2067مرحبا';
const TEXTS = [
  '<script>alert(3)</script>',
  '<img src="x" onerror="alert(4)"><svg onload=alert(5)>',
  'javascript:alert(6) {{7*7}} ${alert(8)} `',
  '\u202Eabc\u202D\u2066 \u2069\u2069 def',
  'שלום עולם (123) abc\nand a line from left to right',
  '👩‍👩‍👧‍👦 👋🏽 é Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!',
  `${'w'.repeat(16_000)}`,
  'many lines\n'.repeat(250),
  '</textarea></dialog><style>*{display:none}</style><a href="javascript:alert(9)">x</a>',
];

run(async () => {
  const [mallory, ann] = await Promise.all([Person.named(NAME), Person.named('ann')]);
  for (const text of TEXTS) await mallory.say(text);
  const shown = async () => {
    const more = ann.page.getByRole('button', { name: /Show all/ });
    while ((await more.count()) > 0) await more.first().click();
    return ann.texts();
  };
  await until('every text as it was written', shown, TEXTS);
  check('by that name', await ann.$('.author .name').first().textContent(), NAME);
  await mallory.make(ROOM);
  await ann.enter(ROOM);
  await mallory.say(TEXTS[0]);
  await ann.sees(TEXTS[0]);
  await ann.$('.notice').or(ann.$('#people-list')).first().waitFor();
  check('the title has no marks that reorder', /[\u202a-\u202e\u2066-\u2069]/.test(await ann.page.title()), false);
  const strange = ann.page.locator('script:not([src]), style, img:not([alt=""]), main a, [onerror], [onload]');
  check('no element that nobody made', await strange.count(), 0);

  // The name's box holds whatever it does to direction; the time after it stays at its right.
  await ann.enter('lobby');
  const { author, width } = await ann.page.evaluate(() => ({
    author: getComputedStyle(document.querySelector('.author .name')).unicodeBidi,
    width: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  }));
  check('names are isolated', author, 'isolate');
  check('nothing runs out of the window', width, 0);
  const overflow = await ann.page.evaluate(() => {
    const box = document.getElementById('log-box');
    return box.scrollWidth - box.clientWidth;
  });
  check('nor out of the room', overflow, 0);

  await mallory.enter('lobby');
  await ann.$('#wire-button').click();
  await mallory.say(TEXTS[1]);
  await ann.$('#frames li').filter({ hasText: 'onerror' }).first().waitFor();
});
