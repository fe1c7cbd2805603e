// The whole page without a mouse.

import { Person, check, run, until } from './harness.mjs';

run(async () => {
  const bob = await Person.named('bob');
  await bob.make('tea');
  const ann = await Person.open();
  const { keyboard } = ann.page;
  /** What has the focus, and how that is shown; nothing, if it is none of the page's own. */
  const focus = () => ann.page.evaluate(() => {
    const { activeElement, body } = document;
    const { id, ariaLabel, textContent, className } = activeElement;
    const name = id || ariaLabel || className.trim() || textContent;
    return activeElement === body ? {} : { name, outline: getComputedStyle(activeElement).outlineStyle };
  });
  const focused = async () => (await focus()).name;
  const press = async (...keys) => {
    for (const key of keys) await keyboard.press(key);
  };
  /** Tab until there; each stop on the way can be seen. */
  const tabTo = async (wanted, key = 'Tab') => {
    const passed = [];
    while (!passed.includes(wanted)) {
      await keyboard.press(key);
      const { name, outline } = await focus();
      // Past the last stop are the browser's own.
      if (!name) continue;
      passed.push(name);
      check(`${passed} shows that it has the focus`, outline, 'solid');
      check(`no way to ${wanted}: ${passed}`, passed.length < 25, true);
    }
  };

  await ann.page.getByLabel('Your name').waitFor();
  await until('the question has the focus', focused, 'dialog-input');
  await press('Escape');
  check('it can not be left unanswered', await ann.$('#dialog').getAttribute('open'), '');
  await press('Enter');
  await ann.page.getByText('A name has at least one character.').waitFor();
  await keyboard.type('ann');
  await press('Enter');
  await ann.isIn('lobby');
  await until('one can write at once', focused, 'text');

  await keyboard.type('first');
  await press('Shift+Enter');
  await keyboard.type('second');
  await press('Enter');
  await ann.sees('first\nsecond');

  // To the rooms, down to the other one, and in.
  await tabTo('create-room', 'Shift+Tab');
  await tabTo('lobby, 2 members, joined');
  await press('ArrowDown');
  check('arrows move in a list', await focused(), 'tea, 1 member, not joined');
  await press('Enter');
  await ann.isIn('tea');
  await until('opening a room leads to writing', focused, 'text');
  await keyboard.type('hello');
  await press('Enter');
  await bob.sees('hello');

  // Back to what was said, and its tools.
  await tabTo('message mine', 'Shift+Tab');
  await press('Tab');
  check('a message has its tools', await ann.page.evaluate(() => document.activeElement.dataset.focus), 'wire');
  await press('Enter');
  await ann.page.getByRole('tab', { name: 'One message, every dialect', selected: true }).waitFor();
  await ann.$('#dialects pre').first().waitFor();
  await tabTo('dialects-tab');
  await press('ArrowLeft');
  await ann.page.getByRole('tab', { name: 'Frames', selected: true }).waitFor();
  await press('Escape');
  check('Escape closes', await ann.$('#wire').isVisible(), false);
  check('and the focus goes back', await ann.page.evaluate(() => document.activeElement.dataset.focus), 'wire');
  await press('Escape');
  check('Escape leads to writing', await focused(), 'text');

  // A dialog gives the focus back too.
  await tabTo('create-room', 'Shift+Tab');
  await press('Enter', 'Escape');
  await until('the dialog is closed', focused, 'create-room');

  // On a phone the lists are drawers, and out of reach while they are closed.
  await ann.page.setViewportSize({ width: 390, height: 800 });
  await tabTo('rooms-button', 'Shift+Tab');
  await press('Enter');
  await until('the focus is in the drawer', focused, 'tea, 2 members, joined');
  await press('Escape');
  check('and comes back', await focused(), 'rooms-button');
  check('what is closed is out of reach', await ann.$('#rooms').evaluate((drawer) => drawer.inert), true);

  const unnamed = await ann.page.evaluate(() => [...document.querySelectorAll('button, input, textarea, a, [role=tab]')]
    .filter((control) => !control.ariaLabel && !control.textContent.trim() && !control.labels?.length)
    .map((control) => control.outerHTML));
  check('every control has a name', unnamed, []);
});
