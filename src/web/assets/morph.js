// Turns what the page shows into what the server sent, changing no more than differs: focus, caret,
// scroll positions, selections and pictures stay where they are.

/**
 * Makes `old` like `fresh`. Whether <details> are open, forms on their way and a 3D view that is open are
 * left alone.
 */
export function morph(old, fresh) {
  if (isBusy(old)) return;
  attributes(old, fresh);
  children(old, fresh);
}

/** Whether a person has begun to fill in a field in there. */
export function isEdited(root) {
  const fields = [...root.querySelectorAll('input, select, textarea')];
  if (root.matches('input, select, textarea')) fields.push(root);
  return fields.some((field) => field === document.activeElement || hasChanged(field));
}

function hasChanged(field) {
  switch (field.type) {
    case 'hidden': return false;
    case 'checkbox':
    case 'radio': return field.checked !== field.defaultChecked;
    case 'select-one':
    case 'select-multiple': {
      const options = [...field.options];
      const chosen = options.some((option) => option.defaultSelected);
      return options.some((option, index) =>
        option.selected !== (chosen || field.multiple ? option.defaultSelected : index === 0));
    }
    default: return field.value !== field.defaultValue;
  }
}

function isBusy(element) {
  return element.matches('form[data-sent], #viewer[data-state]');
}

function attributes(old, fresh) {
  const isDetails = old.localName === 'details';
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(isDetails && name === 'open')) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    // The policy of the page forbids styles in attributes; none is taken over.
    if (name === 'style' || (isDetails && name === 'open')) continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function children(old, fresh) {
  const left = new Map();
  for (const node of old.childNodes) {
    const key = keyOf(node);
    if (!left.has(key)) left.set(key, []);
    left.get(key).push(node);
  }
  const pairs = [...fresh.childNodes].map((wanted) => [wanted, left.get(keyOf(wanted))?.shift()]);
  for (const nodes of left.values()) {
    for (const node of nodes) node.remove();
  }
  let place = old.firstChild;
  for (const [wanted, kept] of pairs) {
    if (!kept) {
      old.insertBefore(document.importNode(wanted, true), place);
      continue;
    }
    if (kept === place) {
      place = place.nextSibling;
    } else {
      move(old, kept, place);
    }
    if (kept.nodeType !== Node.ELEMENT_NODE) {
      if (kept.data !== wanted.data) kept.data = wanted.data;
    } else if (!kept.isEqualNode(wanted)) {
      morph(kept, wanted);
    }
  }
}

/** Moving an element costs it the focus. */
function move(parent, node, place) {
  const focus = document.activeElement;
  const isFocused = node.contains(focus);
  parent.insertBefore(node, place);
  if (isFocused) focus.focus({ preventScroll: true });
}

/**
 * What makes a node the same one as before. Above all, a row that now stands for another order is another
 * row: whoever is about to press its button must not hit the wrong order.
 */
function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return node.nodeType;
  const { localName, id, dataset } = node;
  const key = id || dataset.key || dataset.order || aim(node);
  return `${localName} ${key}`;
}

function aim(element) {
  if (element.matches('a, form, img, button')) return target(element);
  if (!element.matches('tr, li, article, dl')) return '';
  const inner = element.querySelector('a[href]');
  return inner ? target(inner) : '';
}

function target(element) {
  const of = ['href', 'action', 'src', 'formaction', 'name', 'value', 'data-copy'];
  return of.map((name) => element.getAttribute(name) ?? '').join(' ');
}
