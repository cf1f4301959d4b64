// The 3D view of an order's scan, loaded when somebody asks for it.
//
//   <section id="viewer" data-meshes='[{"name","label","url","jaw","format","bytes","further"}]' data-text-…="…">
//     <button type="button" class="view3d" data-viewer="/assets/viewer.js">…</button>
//     <div class="stage"></div>
//   </section>
//
// `data-state` on the section is loading, ready or failed while the view is open; `data-triangles` counts
// those of the meshes that were loaded.
import { fill, size } from './format.js';
import { create } from './scene.js';

const VIEWS = ['front', 'left', 'right', 'top', 'bottom', 'reset'];

/** Opens the view in its section. It is closed by its own button. `isAsked`: somebody pressed the opener. */
export async function open(section, opener, isAsked) {
  await new Viewer(section, opener, isAsked).start();
}

class Viewer {
  #section;
  #opener;
  #isAsked;
  #stage;
  #bar;
  #note;
  #hint;
  #scene;
  #meshes;
  #words;
  #closing = new AbortController();
  #style = { wireframe: false, colours: true };
  #colours;

  constructor(section, opener, isAsked) {
    this.#section = section;
    this.#opener = opener;
    this.#isAsked = isAsked;
    this.#stage = section.querySelector('.stage');
    this.#words = section.dataset;
    this.#meshes = JSON.parse(section.dataset.meshes);
  }

  async start() {
    this.#frame();
    this.#state('loading');
    this.#scene = create(this.#stage);
    if (!this.#scene) return this.#fail(this.#text('webglMissing'));
    const first = firstOf(this.#meshes);
    const failures = await this.#load(first);
    if (this.#closing.signal.aborted) return;
    const shown = first.filter((mesh) => mesh.isLoaded);
    if (shown.length === 0) return this.#fail(failures.join(' '));
    this.#scene.start();
    this.#tools(first);
    this.#restyle();
    this.#say(failures.join(' '));
    this.#state('ready');
  }

  /** The parts around the stage that are there from the start. */
  #frame() {
    const name = this.#opener.textContent.trim();
    this.#opener.hidden = true;
    this.#bar = part('div', { className: 'viewer-bar', role: 'group', ariaLabel: name });
    this.#note = part('p', { className: 'viewer-note', role: 'status' });
    this.#hint = part('p', { className: 'viewer-hint', id: 'viewer-hint', textContent: this.#text('hint') });
    const close = this.#button('close', this.#text('close'), () => this.#close());
    this.#bar.append(close);
    this.#stage.before(this.#bar);
    this.#stage.after(this.#note, this.#hint);
    Object.assign(this.#stage, { tabIndex: 0, role: 'application', ariaLabel: this.#text('stage') || name });
    this.#stage.setAttribute('aria-describedby', this.#hint.id);
    const { signal } = this.#closing;
    this.#stage.addEventListener('keydown', (event) => this.#key(event), { signal });
    this.#stage.addEventListener('pointerdown', () => this.#stage.focus({ preventScroll: true }), { signal });
    // The opener had the focus and is gone now.
    if (this.#isAsked) this.#stage.focus({ preventScroll: true });
  }

  /** The buttons that need something to see. */
  #tools(first) {
    const further = this.#meshes.filter((mesh) => !first.includes(mesh));
    const meshes = [...first, ...further].map((mesh) => {
      const toggle = this.#button(mesh.jaw, mesh.label, () => this.#toggle(mesh, toggle));
      toggle.title = mesh.name;
      return pressed(toggle, mesh.isLoaded === true);
    });
    const wireframe = this.#switch('wireframe');
    this.#colours = this.#switch('colours');
    const views = VIEWS.map((name) => this.#button(name, this.#text(name), () => this.#scene.view(name)));
    const close = this.#bar.lastElementChild;
    for (const buttons of [meshes, [wireframe, this.#colours], views]) {
      const group = part('span', { className: 'viewer-group' });
      group.append(...buttons);
      close.before(group);
    }
  }

  #switch(name) {
    const button = this.#button(name, this.#text(name), () => {
      this.#style[name] = !this.#style[name];
      this.#restyle();
      pressed(button, this.#style[name]);
    });
    return pressed(button, this.#style[name]);
  }

  #restyle() {
    this.#colours.hidden = !this.#scene.hasColours;
    this.#scene.style(this.#style);
  }

  async #toggle(mesh, button) {
    if (button.ariaBusy) return;
    const is = button.ariaPressed !== 'true';
    if (is && !mesh.isLoaded) {
      // Meshes that are not shown at first are fetched when they are wanted.
      button.ariaBusy = 'true';
      const failures = await this.#load([mesh]);
      if (this.#closing.signal.aborted) return;
      button.ariaBusy = null;
      this.#say(failures.join(' '));
      if (!mesh.isLoaded) return;
      this.#restyle();
    }
    pressed(button, is);
    this.#scene.show(mesh.url, is);
  }

  /** Loads meshes side by side and gives what is to be said about those that cannot be shown. */
  async #load(meshes) {
    const total = meshes.reduce((sum, mesh) => sum + (mesh.bytes ?? 0), 0);
    const done = new Map();
    const tell = () => {
      const sum = [...done.values()].reduce((a, b) => a + b, 0);
      const blanks = { done: size(sum), total: size(Math.max(total, sum)) };
      this.#say(`${this.#text('loading')} ${fill(document.body.dataset.textOf, blanks, '{done} / {total}')}`);
    };
    tell();
    const loaded = await Promise.all(meshes.map((mesh) => fetched(mesh, this.#closing.signal, (bytes) => {
      done.set(mesh, bytes);
      tell();
    })));
    const failures = [];
    for (const [at, mesh] of meshes.entries()) {
      const data = loaded[at];
      if (this.#closing.signal.aborted) break;
      if (data.failed !== undefined) {
        console.warn(`${mesh.name} cannot be shown: ${data.failed}`);
        failures.push(`${this.#text('failed')}: ${mesh.name}.`);
        continue;
      }
      this.#scene.add(mesh.url, mesh.jaw, data);
      mesh.isLoaded = true;
      this.#section.dataset.triangles = Number(this.#section.dataset.triangles ?? 0) + data.triangles;
    }
    return failures;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') return this.#close();
    if (this.#section.dataset.state !== 'ready') return;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (steps) {
      if (event.shiftKey) this.#scene.move(...steps);
      else this.#scene.turn(...steps);
    } else if (event.key === '+' || event.key === '=') {
      this.#scene.zoom(1);
    } else if (event.key === '-') {
      this.#scene.zoom(-1);
    } else if (event.key === '0' || event.key === 'Home') {
      this.#scene.view('reset');
    } else {
      return;
    }
    // The page does not scroll along.
    event.preventDefault();
  }

  #fail(why) {
    this.#scene?.close();
    this.#scene = undefined;
    this.#say(why);
    this.#hint.hidden = true;
    this.#state('failed');
    // The stage is gone, and with it the focus.
    if (this.#isAsked) this.#bar.lastElementChild.focus();
  }

  #close() {
    this.#closing.abort();
    this.#scene?.close();
    for (const element of [this.#bar, this.#note, this.#hint]) element.remove();
    for (const name of ['tabindex', 'role', 'aria-label', 'aria-describedby']) this.#stage.removeAttribute(name);
    delete this.#section.dataset.state;
    delete this.#section.dataset.triangles;
    this.#opener.hidden = false;
    this.#opener.focus();
  }

  #state(is) {
    this.#section.dataset.state = is;
  }

  #say(text) {
    if (this.#note.textContent !== text) this.#note.textContent = text;
  }

  #text(name) {
    return this.#words[`text${name[0].toUpperCase()}${name.slice(1)}`] ?? '';
  }

  #button(name, label, act) {
    const button = part('button', { type: 'button', textContent: label });
    button.dataset.tool = name;
    button.addEventListener('click', act, { signal: this.#closing.signal });
    return button;
  }
}

/** The mesh of each jaw that a person expects; without jaws the first mesh at all. */
function firstOf(meshes) {
  // The state before the treatment, and further bites, are for whoever asks for them.
  const sorted = meshes.toSorted((a, b) => Number(a.further ?? false) - Number(b.further ?? false));
  const jaws = ['upper', 'lower'].map((jaw) => sorted.find((mesh) => mesh.jaw === jaw)).filter(Boolean);
  return jaws.length > 0 ? jaws : sorted.slice(0, 1);
}

/** Lets a worker load one mesh. */
function fetched({ url, format }, signal, progress) {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('./mesh.js', import.meta.url), { type: 'module' });
    const end = (data) => {
      worker.terminate();
      resolve(data);
    };
    worker.addEventListener('message', ({ data }) => {
      if (data.done === undefined) end(data);
      else progress(data.done);
    });
    worker.addEventListener('error', (event) => end({ failed: event.message ?? 'no worker' }));
    signal.addEventListener('abort', () => end({ failed: 'closed' }));
    worker.postMessage({ url: new URL(url, location.href).href, format });
  });
}

function part(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

function pressed(button, is) {
  button.ariaPressed = String(is);
  return button;
}
