// A third-party OAuth 2 server for tests/oidc: oidc-provider with its own login pages, and the few
// calls of Align's API that a lab needs before its first order.
//
//   node server.mjs REDIRECT_URL ACCESS_TOKEN_SECONDS
//
// Prints `listening PORT`, and exits when its standard input ends.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [redirect, seconds] = process.argv.slice(2);
const accounts = [{ accountId: 4711, name: 'Smile Dental Lab', type: 'Lab' }];

let provider;
let pages;

const answer = (response, status, body) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

// Whose token it is; the provider knows which ones are valid.
const holder = async (request) => {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  return scheme === 'Bearer' ? await provider.AccessToken.find(token) : undefined;
};

const api = async (request, response) => {
  if (!(await holder(request))) return answer(response, 401, { message: 'not logged in' });
  switch (`${request.method} ${request.url}`) {
    case 'GET /api/third-party/v1/accounts': return answer(response, 200, accounts);
    case 'POST /api/third-party/v1/pair': return answer(response, 200, {});
    case 'GET /api/third-party/v1/orders/lab': return answer(response, 200, []);
    default: return answer(response, 404, { message: 'no such call' });
  }
};

const server = createServer((request, response) => {
  if (request.url.startsWith('/api/')) api(request, response).catch(() => answer(response, 500, {}));
  else pages(request, response);
});

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [{
      client_id: 'casedrop-test',
      client_secret: 's3cret-of-client',
      redirect_uris: [redirect],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
    }],
    cookies: { keys: ['for a test only'] },
    features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
    pkce: { required: () => true },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    ttl: { AccessToken: Number(seconds), RefreshToken: 86400, Grant: 86400, Session: 86400, Interaction: 3600 },
  });
  pages = provider.callback();
  console.log(`listening ${port}`);
});

process.stdin.on('end', () => process.exit(0)).resume();
