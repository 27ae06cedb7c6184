// The certified provider, for machines alone: it reads who may ask, one line of JSON,
// and ends when this end of its input is gone.
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
lines.once('line', (line) => {
  const { port, clients } = JSON.parse(line);
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients,
    scopes: ['system/*.rs', 'system/*.cruds'],
    clientAuthMethods: ['private_key_jwt', 'client_secret_basic', 'client_secret_post'],
    enabledJWA: {
      clientAuthSigningAlgValues: ['RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA'],
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
    },
    ttl: { ClientCredentials: 300 },
  });
  const server = provider.listen(port, '127.0.0.1', () => console.log('ready'));
});
