/**
 * Makes certificates for tests, in DER by hand, since Node can only read them: an authority, and what it signs, for names,
 * addresses and times of the test's choice. ECDSA on P-256, no extensions but those that TLS looks at.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate and its key as PEM texts. */
export interface MadeCertificate {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate says. */
export interface CertificateWishes {
  readonly commonName: string;
  /** Names and IPv4 addresses that a server has. */
  readonly names?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

const tag = {
  boolean: 1,
  integer: 2,
  bits: 3,
  octets: 4,
  oid: 6,
  utf8: 12,
  utcTime: 23,
  sequence: 48,
  set: 49,
} as const;
/** Tags of the context: constructed ones, and the plain ones of names. */
const explicit = (number: number): number => 0xa0 + number;
const dnsName = 0x82;
const ipAddress = 0x87;

function der(type: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 128) return Buffer.concat([Buffer.from([type, content.length]), content]);
  const length = Buffer.from(content.length.toString(16).padStart(4, '0'), 'hex');
  return Buffer.concat([Buffer.from([type, 0x80 + length.length]), length, content]);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = rest.flatMap((part) => {
    const digits = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return der(tag.oid, Buffer.from([40 * first + second, ...bytes]));
}

function nameOf(commonName: string): Buffer {
  return der(tag.sequence, der(tag.set, der(tag.sequence, oid('2.5.4.3'), der(tag.utf8, Buffer.from(commonName)))));
}

/** Of years before 2050. */
function time(date: Date): Buffer {
  return der(
    tag.utcTime,
    Buffer.from(
      `${date
        .toISOString()
        .replaceAll(/[-:T]|\..*/g, '')
        .slice(2)}Z`,
    ),
  );
}

function extension(id: string, value: Buffer): Buffer {
  return der(tag.sequence, oid(id), der(tag.octets, value));
}

function alternative(name: string): Buffer {
  const isAddress = /^[\d.]+$/.test(name);
  return isAddress ? der(ipAddress, Buffer.from(name.split('.').map(Number))) : der(dnsName, Buffer.from(name));
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

const ecdsaWithSha256 = der(tag.sequence, oid('1.2.840.10045.4.3.2'));
const always = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2049-01-01T00:00:00Z') };

function make(wishes: CertificateWishes, issuer: { readonly name: string; readonly key?: KeyObject }): MadeCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { commonName, names = [], notBefore = always.notBefore, notAfter = always.notAfter } = wishes;
  const isAuthority = issuer.key === undefined;
  const extensions = [
    ...(isAuthority ? [extension('2.5.29.19', der(tag.sequence, der(tag.boolean, Buffer.from([0xff]))))] : []),
    ...(names.length > 0 ? [extension('2.5.29.17', der(tag.sequence, ...names.map(alternative)))] : []),
  ];
  const serial = Buffer.from([1, ...randomBytes(15)]);
  const toSign = der(
    tag.sequence,
    der(explicit(0), der(tag.integer, Buffer.from([2]))),
    der(tag.integer, serial),
    ecdsaWithSha256,
    nameOf(issuer.name),
    der(tag.sequence, time(notBefore), time(notAfter)),
    nameOf(commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length > 0 ? [der(explicit(3), der(tag.sequence, ...extensions))] : []),
  );
  const signature = sign('sha256', toSign, issuer.key ?? privateKey);
  const whole = der(tag.sequence, toSign, ecdsaWithSha256, der(tag.bits, Buffer.from([0]), signature));
  return {
    cert: pem('CERTIFICATE', whole),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
}

/** An authority of its own. */
export class TestAuthority {
  readonly #name: string;
  readonly #made: MadeCertificate;

  constructor(name: string = 'Test authority') {
    this.#name = name;
    this.#made = make({ commonName: name }, { name });
  }

  /** Its certificate, in PEM. */
  get cert(): string {
    return this.#made.cert;
  }

  /** A certificate that it signs. */
  issue(wishes: CertificateWishes): MadeCertificate {
    return make(wishes, { name: this.#name, key: createPrivateKey(this.#made.key) });
  }
}
