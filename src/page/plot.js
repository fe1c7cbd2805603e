// A small plot of a few series over the last minutes, as SVG.

import { el } from './dom.js';

const SPACE = 'http://www.w3.org/2000/svg';
const WIDTH = 300;
const HEIGHT = 100;
/** So many samples are kept and shown. */
export const MOST_SAMPLES = 150;

function shape(name, attributes) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** The next of 1, 2 and 5 with zeros behind, so that the scale says a round number. */
function roundUp(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

export class Plot {
  #samples = [];
  #parts = {};

  /** `series` are the names; none is one without a name. `show` makes text of a number, `total` one number of many. */
  constructor(title, { series = [''], show = String, total = (values) => values[0] } = {}) {
    Object.assign(this, { title, series, show, total });
    const part = (tag, props) => el(tag, props);
    this.#parts = { now: part('p', { class: 'now' }), most: part('span'), legend: part('ul', { class: 'legend' }) };
    this.svg = shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    const scale = el('p', { class: 'scale', 'aria-hidden': 'true' }, this.#parts.most, el('span', {}, 'now'));
    this.element = el('section', { class: 'plot' }, el('h2', {}, title), this.#parts.now, scale, this.svg, this.#parts.legend);
  }

  /** One more sample: a number for each series, or null for what is not known. */
  add(values) {
    this.#samples.push(values);
    if (this.#samples.length > MOST_SAMPLES) this.#samples.shift();
    this.#draw();
  }

  #draw() {
    const known = this.#samples.flat().filter((value) => value !== null);
    const top = roundUp(Math.max(0, ...known));
    const last = this.#samples.at(-1);
    const total = this.total(last);
    const now = total === null ? '–' : this.show(total);
    this.#parts.now.textContent = now;
    this.#parts.most.textContent = this.show(top);
    this.svg.setAttribute('aria-label', `${this.title}: now ${now}, the scale ends at ${this.show(top)}`);
    const lines = [0, 0.5, 1].map((part) => shape('line', { class: 'axis', x1: 0, x2: WIDTH, y1: part * HEIGHT, y2: part * HEIGHT }));
    const paths = this.series.map((_, place) => shape('path', { class: `series color-${place}`, d: this.#path(place, top) }));
    this.svg.replaceChildren(...lines, ...paths);
    if (this.series.length === 1) return;
    this.#parts.legend.replaceChildren(...this.series.map((name, place) => el(
      'li', {}, el('span', { class: `key color-${place}` }), `${name} ${last[place] === null ? '–' : this.show(last[place])}`,
    )));
  }

  /** The newest at the right edge; a gap where nothing is known. */
  #path(place, top) {
    let path = '';
    let isGap = true;
    this.#samples.forEach((values, index) => {
      const value = values[place];
      if (value === null) {
        isGap = true;
        return;
      }
      const x = WIDTH - ((this.#samples.length - 1 - index) * WIDTH) / (MOST_SAMPLES - 1);
      const y = HEIGHT - (value / top) * HEIGHT;
      // A dot at first, for a sample that stands alone.
      path += `${isGap ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}${isGap ? 'h0' : ''}`;
      isGap = false;
    });
    return path;
  }
}
