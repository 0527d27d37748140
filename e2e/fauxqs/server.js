// Serves fauxqs, an emulator of SQS, on a free port of loopback. Prints the port and serves until its input ends, so
// that it never outlives the test that started it. 1.9.2 is its last for Node.js 20: 2 needs node:sqlite, of 22.5.
import { buildApp } from 'fauxqs';

const app = buildApp({ logger: false });
await app.listen({ port: 0, host: '127.0.0.1' });
console.log(app.server.address().port);
process.stdin.resume().on('end', () => process.exit());
