// The status page as the tests know it: addresses, and how to find things on it. When the page changes,
// only this file has to follow.
import { ACCOUNT, LAB } from './casedrop.mjs';

/** All pages of an agent that knows this order, by a name for the tests. */
export function allPages(order) {
  const page = `/orders/${LAB}/${ACCOUNT}/${order}`;
  return {
    overview: '/',
    orders: '/orders',
    'no order found': '/orders?q=nothing-like-this',
    'an order': page,
    'returning a scan': `${page}/return`,
    diagnostics: '/diagnostics',
    'an unknown number': '/orders/17599999',
    commands: '/commands',
    audit: '/audit',
    settings: '/settings',
    'all settings': '/settings?all=1',
    log: '/log',
    'the set-up': '/welcome',
    'an order that does not exist': `/orders/${LAB}/${ACCOUNT}/99999999`,
  };
}

/** What is on the pages, in the words of the English ones. */
export const on = (page) => ({
  main: page.locator('#main'),
  skipLink: page.getByRole('link', { name: 'Skip to the content' }),
  navigation: (name) => page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true }),
  /** The answer to the last request. */
  answer: page.locator('[data-test="answer"]'),
  offline: page.locator('#offline'),

  lab: page.locator('[data-test="lab"]'),
  needsPerson: page.locator('#wants'),

  /** The line of a running download, on the overview and on the order's page. */
  download: (order) => page.locator(`.download[data-order="${LAB}/${ACCOUNT}/${order}"]`),

  /** In the header of every page. */
  search: page.getByRole('searchbox', { name: 'Search orders' }),
  showResults: page.getByRole('search', { name: 'Search orders' }).getByRole('button', { name: 'Search' }),
  unknown: page.locator('[data-test="unknown"]'),
  fetchByNumber: page.getByRole('button', { name: 'Fetch from Align by number' }),
  rows: page.locator('#list tbody tr'),
  orderLink: (order) => page.getByRole('link', { name: String(order), exact: true }),
  nextPage: page.getByRole('link', { name: 'Next page' }),

  orderState: page.locator('#order-head .badge'),
  refetch: page.getByRole('button', { name: 'Fetch again' }),
  heldBox: page.locator('[data-test="held"]'),
  findings: page.locator('[data-test="findings"]'),
  publishAnyway: page.getByRole('button', { name: 'Publish anyway' }),
  askDoctor: page.getByRole('link', { name: 'Ask the doctor…' }),
  startReturn: page.getByRole('link', { name: 'Return to the doctor' }),
  story: page.locator('#story'),
  /** The 3D view; it opens as soon as it is on the screen. */
  viewer: page.locator('#viewer'),
  downloadAll: page.getByRole('link', { name: /^Download all/ }),
  checkFiles: page.getByRole('button', { name: 'Check files' }),
  pictures: page.locator('#pictures a'),
  returnReason: page.getByLabel('Reason for the doctor'),
  returnConfirm: page.getByLabel('Order number again'),
  returnProblem: page.locator('[data-test="problem"]'),
  returnDo: page.getByRole('button', { name: 'Return this scan' }),
  show3d: page.getByRole('button', { name: 'Show the scan in 3D' }),

  code: page.getByLabel('Set-up code'),
  enterCode: page.getByRole('button', { name: 'Enter the code' }),
  beginLogin: page.getByRole('button', { name: 'Log in' }),
  loginLink: page.getByRole('link', { name: 'login page' }),
  paste: page.getByLabel('Paste everything at once'),
  value: (label) => page.getByLabel(label, { exact: true }),
  saidOf: (name) => page.locator(`#${name}-said`),
  save: page.getByRole('button', { name: 'Save and start Casedrop' }),
  chooseAccount: page.getByRole('button', { name: 'Choose account' }),
  accountChoice: (account) => page.getByRole('radio', { name: account }),
  useAccount: page.getByRole('button', { name: 'Use this account' }),
  otherFolder: page.getByLabel('Or another folder'),
  useFolder: page.getByRole('button', { name: 'Use this folder' }),
  publishTest: page.getByRole('button', { name: 'Publish the test order' }),
  step: (name) => page.locator(`#step-${name}`),
  allSet: page.locator('#all-set'),
});

/** The hidden field that every form carries. */
export const CSRF_FIELD = 'csrf';
