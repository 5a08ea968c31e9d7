// Asks the server of this container whether it lives (/healthz): exit code 0 or 1. Plain JavaScript, so that the image needs no
// other program. Where port or certificate are configured in a file only, SERVER_PORT and SERVER_TLS_CERTFILE have to say it here, too.
import { get as getPlain } from 'node:http';
import { get as getSecure } from 'node:https';

const timeoutMillis = 4000;

const { SERVER_PORT, PORT, SERVER_TLS_CERTFILE } = process.env;
const isTls = Boolean(SERVER_TLS_CERTFILE);

/** @param {string} problem */
function fail(problem) {
  console.error(problem);
  process.exit(1);
}

const get = isTls ? getSecure : getPlain;
const request = get(
  // The certificate names the public host, not this address; nothing secret is sent.
  { host: '127.0.0.1', port: Number(SERVER_PORT || PORT || 8080), path: '/healthz', rejectUnauthorized: false },
  (answer) => {
    answer.resume();
    answer.on('end', () => {
      if (answer.statusCode === 200) process.exit(0);
      fail(`/healthz answered ${answer.statusCode}`);
    });
  },
);
request.setTimeout(timeoutMillis, () => fail('/healthz did not answer in time'));
request.on('error', (error) => fail(error.message));
