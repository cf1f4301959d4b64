// The form of a new PC: each value is checked while it is typed, and a pasted block of lines is taken apart.
// The server does both, so that nothing differs from what it does without scripts.
const form = document.getElementById('first-start');
/** How long nobody types before a value is checked, in milliseconds. */
const PAUSE = 400;

/** The names of the fields that somebody has filled in; the others are not called missing yet. */
const touched = new Set();
let timer;
let asked = 0;

if (form) begin();

function begin() {
  for (const field of form.querySelectorAll('input:not([type="hidden"]):not([type="radio"])')) {
    if (field.value) touched.add(field.name);
  }
  form.addEventListener('input', ({ target }) => {
    if (target.name === 'paste') return check(true);
    touched.add(target.name === 'other' ? 'output' : target.name);
    clearTimeout(timer);
    timer = setTimeout(check, PAUSE);
  });
  // Several lines pasted into a field for one.
  form.addEventListener('paste', (event) => {
    const text = event.clipboardData?.getData('text/plain') ?? '';
    if (event.target.localName !== 'input' || !text.trim().includes('\n')) return;
    event.preventDefault();
    form.elements.paste.value = text;
    check(true);
  });
}

/** Asks the server about all values; with `takes`, also what the pasted text holds. */
async function check(takes = false) {
  clearTimeout(timer);
  asked += 1;
  const own = asked;
  const values = new URLSearchParams(new FormData(form));
  if (takes !== true) values.delete('paste');
  const answer = await fetch(form.dataset.check, {
    method: 'POST', body: values, headers: { accept: 'application/json' }, credentials: 'same-origin', cache: 'no-store',
  }).catch(() => undefined);
  // Somebody typed on meanwhile, or the server checks when the form is sent.
  if (!answer?.ok || own !== asked) return;
  const { fields, pasted, said } = await answer.json();
  if (takes === true && form.elements.paste.value.trim()) take(pasted, said);
  for (const [name, found] of Object.entries(fields)) tell(name, found);
}

function take(pasted, said) {
  for (const [name, value] of Object.entries(pasted)) {
    const field = form.elements[name];
    if (!field) continue;
    field.value = value;
    touched.add(name);
  }
  if (Object.keys(pasted).length) form.elements.paste.value = '';
  document.getElementById('paste-said').textContent = said;
}

function tell(name, { reason, hint, missing }) {
  const line = document.getElementById(`${name}-said`);
  const field = form.elements[name === 'output' ? 'other' : name];
  if (!line || !field || !touched.has(name)) return;
  const isWrong = missing || reason !== undefined;
  line.className = `said ${isWrong ? 'bad' : 'good'}`;
  line.lang = reason === undefined ? document.documentElement.lang : 'en';
  const text = missing ? form.dataset.missing : isWrong ? [reason, hint].filter(Boolean).join(': ') : `✓ ${form.dataset.good}`;
  if (line.textContent !== text) line.textContent = text;
  if (isWrong) field.setAttribute('aria-invalid', 'true');
  else field.removeAttribute('aria-invalid');
}
