import { describe, expect, it } from 'vitest';
import { createEgressPolicy } from './egress-policy.ts';
import type { EgressPolicy, EgressRules } from './egress-policy.ts';

function policyOf(rules: EgressRules): EgressPolicy {
  const made = createEgressPolicy(rules);
  if (!made.ok) throw new Error(made.problems.join('\n'));
  return made.policy;
}

function problemsOf(rules: EgressRules): readonly string[] {
  const made = createEgressPolicy(rules);
  return made.ok ? [] : made.problems;
}

/** Decides as the connector does: a literal host is its own address, a name resolves to the one given. */
function allows(policy: EgressPolicy, url: string, resolved?: string, fromData = false): boolean {
  const host = new URL(url).hostname;
  const literal = /^[\d.]+$|^\[/.test(host) ? host.replace(/^\[|\]$/g, '') : undefined;
  const address = literal ?? resolved;
  return policy.decide({ host, fromData, ...(address === undefined ? {} : { address }) }).allowed;
}

const metadataUrls = [
  'http://169.254.169.254/latest/meta-data/',
  'http://169.254.169.254./latest/',
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://0xa9.0xfe.0xa9.0xfe/',
  'http://0251.0376.0251.0376/',
  'http://169.254.43518/',
  'http://169.16689662/',
  'http://allowed.example@169.254.169.254/',
  'http://user:word@2852039166/',
  'http://１６９.254.169.254/',
  'http://169。254。169。254/',
  'http://[::ffff:169.254.169.254]/',
  'http://[::ffff:a9fe:a9fe]/',
  'http://[0:0:0:0:0:ffff:a9fe:a9fe]/',
  'http://[::169.254.169.254]/',
  'http://[::ffff:0:a9fe:a9fe]/',
  'http://[64:ff9b::169.254.169.254]/',
  'http://[64:ff9b:1::a9fe:a9fe]/',
  'http://[64:ff9b:1:a9fe:a9:fe00::]/',
  'http://[2002:a9fe:a9fe::1]/',
  'http://[2001:0:a9fe:a9fe::]/',
  'http://[2001:0:1:1:0:0:5601:5601]/',
  'http://[2001:db8::5efe:a9fe:a9fe]/',
  'http://[fd00:ec2::254]/',
  'http://[FD00:0EC2:0::0254]/',
  'http://[fd20:ce::254]/',
  'http://169.254.170.2/v2/credentials',
  'http://169.254.170.23/',
  'http://100.100.100.200/',
  'http://168.63.129.16/',
  'http://metadata.google.internal/computeMetadata/v1/',
  'http://METADATA.google.INTERNAL./',
  'http://metadata.goog/',
];

const privateUrls = [
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0177.0.0.1/',
  'http://0x7f.1/',
  'http://0/',
  'http://10.0.0.1/',
  'http://100.64.0.1/',
  'http://169.254.1.1/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1/',
  'http://198.18.0.1/',
  'http://224.0.0.1/',
  'http://255.255.255.255/',
  'http://[::]/',
  'http://[::1]/',
  'http://[::ffff:10.0.0.1]/',
  'http://[::10.0.0.1]/',
  'http://[64:ff9b::10.0.0.1]/',
  'http://[2002:a00:1::]/',
  'http://[fc00::1]/',
  'http://[fdff::1]/',
  'http://[fe80::1]/',
  'http://[fec0::1]/',
  'http://[ff02::1]/',
];

const publicUrls = [
  'http://8.8.8.8/',
  'http://100.128.0.1/',
  'http://172.32.0.1/',
  'http://172.15.255.255/',
  'http://169.253.255.255/',
  'http://[2606:4700::1111]/',
  'http://[::ffff:8.8.8.8]/',
  'http://[64:ff9b::808:808]/',
];

describe('cloud metadata', () => {
  const everything = policyOf({
    allow: ['0.0.0.0/0', '::/0', '*.google.internal', 'metadata.goog'],
    allowPrivateFromData: ['0.0.0.0/0', '::/0'],
  });
  it.each(metadataUrls)('%s is refused whatever is allowed', (url) => {
    expect(allows(policyOf({}), url, '203.0.113.9')).toBe(false);
    expect(allows(everything, url, '203.0.113.9')).toBe(false);
    expect(allows(everything, url, '203.0.113.9', true)).toBe(false);
  });

  it('is refused by the address behind any name', () => {
    for (const address of ['169.254.169.254', '::ffff:169.254.169.254', 'fd00:ec2::254', '100.100.100.200']) {
      expect(allows(everything, 'http://harmless.example/', address)).toBe(false);
    }
  });
});

describe('private addresses', () => {
  it.each(privateUrls)('%s needs allowPrivate, or a place in the list that its origin asks for', (url) => {
    expect(allows(policyOf({}), url)).toBe(true);
    expect(allows(policyOf({ allowPrivate: false }), url)).toBe(false);
    expect(allows(policyOf({ allowPrivate: false, allow: ['0.0.0.0/0', '::/0'] }), url)).toBe(true);
    expect(allows(policyOf({}), url, undefined, true)).toBe(false);
    expect(allows(policyOf({ allow: ['0.0.0.0/0', '::/0'] }), url, undefined, true)).toBe(false);
    expect(allows(policyOf({ allowPrivateFromData: ['0.0.0.0/0', '::/0'] }), url, undefined, true)).toBe(true);
  });

  it.each(publicUrls)('%s is not private', (url) => {
    expect(allows(policyOf({ allowPrivate: false }), url)).toBe(true);
    expect(allows(policyOf({ allowPrivate: false }), url, undefined, true)).toBe(true);
  });

  it('may be listed for data by name, suffix or range', () => {
    const policy = policyOf({ allowPrivateFromData: ['hooks.internal', '*.apps.internal', '10.1.0.0/16'] });
    const fromData = (url: string, address: string): boolean => allows(policy, url, address, true);
    expect(fromData('http://hooks.internal/', '10.9.9.9')).toBe(true);
    expect(fromData('http://HOOKS.internal./', '10.9.9.9')).toBe(true);
    expect(fromData('http://a.apps.internal/', '10.9.9.9')).toBe(true);
    expect(fromData('http://apps.internal/', '10.9.9.9')).toBe(false);
    expect(fromData('http://other.internal/', '10.1.2.3')).toBe(true);
    expect(fromData('http://other.internal/', '::ffff:10.1.2.3')).toBe(true);
    expect(fromData('http://other.internal/', '10.2.0.1')).toBe(false);
    expect(fromData('http://nothooks.internal/', '10.9.9.9')).toBe(false);
  });
});

describe('allow and deny', () => {
  it('an allow list lets through only what it names, by host or by address', () => {
    const policy = policyOf({ allow: ['API.example.', '*.partner.example', '203.0.113.0/24', '[2001:db8::1]'] });
    expect(allows(policy, 'http://api.example/', '8.8.8.8')).toBe(true);
    expect(allows(policy, 'http://api.example./', '8.8.8.8')).toBe(true);
    expect(allows(policy, 'http://x.api.example/', '8.8.8.8')).toBe(false);
    expect(allows(policy, 'http://a.b.partner.example/', '8.8.8.8')).toBe(true);
    expect(allows(policy, 'http://partner.example/', '8.8.8.8')).toBe(false);
    expect(allows(policy, 'http://evilpartner.example/', '8.8.8.8')).toBe(false);
    expect(allows(policy, 'http://any.example/', '203.0.113.7')).toBe(true);
    expect(allows(policy, 'http://3405803783/')).toBe(true);
    expect(allows(policy, 'http://[2001:db8::1]/')).toBe(true);
    expect(allows(policy, 'http://[2001:db8::2]/')).toBe(false);
    expect(allows(policy, 'http://8.8.8.8/')).toBe(false);
  });

  it('deny beats allow, by host and by address', () => {
    const policy = policyOf({
      allow: ['*.example', '203.0.113.0/24'],
      deny: ['bad.example', '203.0.113.66', '10.0.0.0/8'],
    });
    expect(allows(policy, 'http://good.example/', '8.8.8.8')).toBe(true);
    expect(allows(policy, 'http://bad.example/', '8.8.8.8')).toBe(false);
    expect(allows(policy, 'http://BAD.example../', '8.8.8.8')).toBe(false);
    expect(allows(policy, 'http://good.example/', '203.0.113.66')).toBe(false);
    expect(allows(policy, 'http://good.example/', '::ffff:203.0.113.66')).toBe(false);
    expect(allows(policy, 'http://[64:ff9b::203.0.113.66]/')).toBe(false);
    expect(allows(policy, 'http://good.example/', '10.1.1.1')).toBe(false);
  });

  it('a name that is allowed may be private where private addresses are not', () => {
    const policy = policyOf({ allow: ['ledger.internal', '*.example'], allowPrivate: false });
    expect(allows(policy, 'http://ledger.internal/', '10.0.0.1')).toBe(true);
    expect(allows(policy, 'http://other.internal/', '10.0.0.1')).toBe(false);
  });

  it('entries in unusual spellings mean the address', () => {
    const policy = policyOf({ deny: ['2130706433', '0x0a.1', '::ffff:192.0.2.1'] });
    expect(allows(policy, 'http://127.0.0.1/')).toBe(false);
    expect(allows(policy, 'http://10.0.0.1/')).toBe(false);
    expect(allows(policy, 'http://[::ffff:192.0.2.1]/')).toBe(false);
  });

  it('international names are compared in ASCII', () => {
    expect(allows(policyOf({ deny: ['bücher.example'] }), 'http://BÜCHER.example/', '8.8.8.8')).toBe(false);
  });

  it('without an address, behind a proxy, only names and literal addresses are judged', () => {
    const policy = policyOf({ deny: ['bad.example', '10.0.0.0/8'] });
    expect(policy.decide({ host: 'good.example', fromData: true }).allowed).toBe(true);
    expect(policy.decide({ host: 'bad.example', fromData: false }).allowed).toBe(false);
    expect(policy.decide({ host: '10.0.0.1', fromData: false }).allowed).toBe(false);
    expect(policy.decide({ host: '[::ffff:10.0.0.1]', fromData: false }).allowed).toBe(false);
    expect(policy.decide({ host: 'metadata.google.internal', fromData: false }).allowed).toBe(false);
  });

  it.each(['localhost', 'LOCALHOST.', 'a.localhost'])('behind a proxy %s is its own loopback', (host) => {
    const decide = (rules: EgressRules, fromData: boolean): boolean =>
      policyOf(rules).decide({ host, fromData }).allowed;
    expect(decide({}, true)).toBe(false);
    expect(decide({ allowPrivate: false }, false)).toBe(false);
    expect(decide({ deny: ['127.0.0.0/8'] }, false)).toBe(false);
    expect(decide({}, false)).toBe(true);
    expect(decide({ allowPrivateFromData: ['localhost', '*.localhost'] }, true)).toBe(true);
    expect(policyOf({}).decide({ host: 'notlocalhost', fromData: true }).allowed).toBe(true);
  });

  it.each(['metadata', 'instance-data'])('behind a proxy %s is what a cloud finds by that name', (host) => {
    expect(policyOf({ allow: [host] }).decide({ host, fromData: false }).allowed).toBe(false);
    // Where the address is known, it tells.
    expect(policyOf({ allow: [host] }).decide({ host, address: '10.0.0.1', fromData: false }).allowed).toBe(true);
    expect(policyOf({ allow: [host] }).decide({ host, address: '169.254.169.254', fromData: false }).allowed).toBe(
      false,
    );
  });

  it.each(['2001:2::1', '5f00::1'])('%s is not of the public internet', (address) => {
    expect(policyOf({}).decide({ host: 'a.example', address, fromData: true }).allowed).toBe(false);
  });

  it('an answer of the resolver that is no address is refused', () => {
    expect(policyOf({}).decide({ host: 'a.example', address: 'nowhere', fromData: false }).allowed).toBe(false);
  });

  it('says why', () => {
    const decision = policyOf({ deny: ['10.0.0.0/8'] }).decide({
      host: 'A.example.',
      address: '10.0.0.1',
      fromData: false,
    });
    expect(decision).toEqual({
      allowed: false,
      reason: 'Egress refused: a.example (10.0.0.1) is on the deny list (http.egress.deny).',
    });
  });
});

describe('a refusal', () => {
  const [host, address] = ['a.example', '10.0.0.1'];
  it.each<[string, Parameters<typeof policyOf>[0], boolean]>([
    ['http.egress.deny', { deny: ['a.example'] }, false],
    ['http.egress.allow', { allow: ['b.example'] }, false],
    ['http.egress.allowPrivate', { allowPrivate: false }, false],
    ['http.egress.allowPrivateFromData', {}, true],
  ])('names the key in full: %s', (key, rules, fromData) => {
    const decision = policyOf(rules).decide({ host, address, fromData });
    expect(decision.allowed ? '' : decision.reason.split(/[\s();.]+(?![a-zA-Z])|[\s();]+/)).toContain(key);
  });
});

describe('entries', () => {
  it('collects every problem', () => {
    const problems = problemsOf({
      allow: ['', '*', 'http://a.example', '10.0.0.1/8', '10.0.0.0/33', 'a.*.example'],
      deny: ['a.example:8080', 'user@a.example', 'a b', '*.10.0.0.1', '::/129', 'fe80::/x'],
      allowPrivateFromData: ['ok.example', '*.*'],
    });
    expect(problems).toHaveLength(13);
    expect(problems[0]).toBe('allow[0]: "" is blank.');
    expect(problems[3]).toBe('allow[3]: "10.0.0.1/8" has bits set beyond its prefix.');
    expect(problems.filter((problem) => problem.startsWith('deny['))).toHaveLength(6);
    expect(problems.at(-1)).toMatch(/^allowPrivateFromData\[1\]: /);
  });

  it.each([
    'a.example',
    'my_service',
    'localhost',
    '*.svc.cluster.local',
    '10.0.0.0/8',
    '1.2.3.4',
    '::1',
    '[::1]',
    'fd00::/8',
    'A.EXAMPLE.',
  ])('takes %s', (entry) => {
    expect(problemsOf({ allow: [entry] })).toEqual([]);
  });
});
