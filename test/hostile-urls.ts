/** One of them. */
export interface HostileUrl {
  readonly url: string;
  /** What its host resolves to, one list per time it is asked; the last one repeats. Without it nothing resolves. */
  readonly resolves?: readonly (readonly string[])[];
  /** The reason expected, as a part of the sentence. */
  readonly reason: string;
}

const metadata = 'is a cloud metadata service';
const isPrivate = 'is private and its URL comes from data';
const scheme = 'The URL does not begin with http:// or https://';
const userinfo = 'holds user information';
const blank = 'holds a blank or a control character';
const noHost = 'The URL has no host';
const badHost = 'holds a character that no host has';
const badIPv6 = "The URL's IPv6 address is not valid";
const backslash = 'holds a backslash';
const dots = 'has a dot segment';
const invalid = 'The URL is not valid';

const all = (reason: string, ...urls: readonly string[]): HostileUrl[] => urls.map((url) => ({ url, reason }));

const resolving = (reason: string, url: string, ...resolves: readonly (readonly string[])[]): HostileUrl => ({
  url,
  reason,
  resolves,
});

/**
 * URLs of an author who wants a call to go where it must not: to cloud metadata, to private addresses, or past
 * what a URL seems to say. Each with who has to refuse it, and how.
 *
 * `\u0000` and the like are meant as they stand.
 */
export const hostileUrls: readonly HostileUrl[] = [
  // IPv4 as decimal, octal, hexadecimal, short, and mixed.
  ...all(
    metadata,
    'http://169.254.169.254/latest/meta-data/',
    'http://2852039166/latest/meta-data/',
    'http://0xa9fea9fe/',
    'http://0XA9FEA9FE/',
    'http://025177524776/',
    'http://0xa9.0xfe.0xa9.0xfe/',
    'http://0251.0376.0251.0376/',
    'http://0251.254.0xa9.254/',
    'http://169.254.43518/',
    'http://169.16689662/',
    'http://0000000251.0376.0251.0376/',
    'http://169.254.169.254:80/',
    'https://169.254.169.254:8443/',
    // Trailing dots.
    'http://169.254.169.254./',
    'http://2852039166./',
    // Unicode digits, dots and letters.
    'http://１６９.254.169.254/',
    'http://169。254。169。254/',
    'http://169．254．169．254/',
    'http://169｡254｡169｡254/',
    'http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/',
    'http://𝟏𝟔𝟗.254.169.254/',
    'http://0ｘa9fea9fe/',
    // Soft hyphens and zero-width characters vanish from a host.
    'http://169.254.169\u00ad.254/',
    'http://169.254.1\u200b69.254/',
    // IPv6 that stands for IPv4: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP.
    'http://[::ffff:169.254.169.254]/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[0:0:0:0:0:ffff:a9fe:a9fe]/',
    'http://[::169.254.169.254]/',
    'http://[::a9fe:a9fe]/',
    'http://[::ffff:0:a9fe:a9fe]/',
    'http://[64:ff9b::169.254.169.254]/',
    'http://[64:ff9b:1::a9fe:a9fe]/',
    'http://[64:ff9b:1:a9fe:a9:fe00::]/',
    'http://[64:ff9b:1:a9:fe:a9fe::]/',
    'http://[64:ff9b:1:0:a9:fea9:fe00::]/',
    'http://[2002:a9fe:a9fe::1]/',
    'http://[2001:0:a9fe:a9fe::]/',
    'http://[2001:0:1:1:0:0:5601:5601]/',
    'http://[2001:db8::5efe:a9fe:a9fe]/',
    // Metadata services of other clouds, and their IPv6 addresses.
    'http://[fd00:ec2::254]/',
    'http://[FD00:0EC2:0::0254]/',
    'http://[fd00:ec2::23]/',
    'http://[fd20:ce::254]/',
    'http://169.254.170.2/v2/credentials',
    'http://169.254.170.23/v1/credentials',
    'http://100.100.100.200/latest/',
    'http://168.63.129.16/machine',
    'http://192.0.0.192/opc/v1/',
    'http://169.254.0.23/',
    'http://169.254.42.42/conf',
  ),
  ...[
    'http://metadata.google.internal/computeMetadata/v1/',
    'http://METADATA.Google.Internal./',
    'http://metadata.google.internal../',
    'http://metadata。google。internal/',
    'http://ｍetadata.google.internal/',
    'http://metadata.goog/',
    'http://metadata.azure.internal/',
    'http://metadata.tencentyun.com/',
    'http://instance-data.ec2.internal/',
  ].map((url) => resolving(metadata, url, ['203.0.113.1'])),
  // Private addresses in the same disguises.
  ...all(
    isPrivate,
    'http://127.0.0.1/',
    'http://127.1/',
    'http://127.255.255.254/',
    'http://2130706433/',
    'http://017700000001/',
    'http://0x7f000001/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.0.0.1./',
    'http://①②⑦.⓪.⓪.①/',
    'http://0/',
    'http://0.0.0.0:6379/',
    'http://10.0.0.1:5432/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://3232235777/',
    'http://100.64.0.1/',
    'http://198.18.0.1/',
    'http://224.0.0.1/',
    'http://255.255.255.255/',
    'http://[::]/',
    'http://[::1]/',
    'http://[0000:0000:0000:0000:0000:0000:0000:0001]:9200/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[64:ff9b:1::a00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[fc00::1]/',
    'http://[fe80::1]/',
    'http://[fec0::1]/',
    'http://[ff02::1]/',
  ),
  // Names that resolve to what must not be reached: plainly, besides a harmless address, or only later.
  resolving(isPrivate, 'http://localhost:2379/', ['127.0.0.1'], ['::1']),
  resolving(isPrivate, 'http://LOCALHOST./', ['127.0.0.1']),
  resolving(isPrivate, 'http://127.0.0.1.nip.example/', ['127.0.0.1']),
  resolving(isPrivate, 'http://kubernetes.default.svc/api', ['10.96.0.1']),
  resolving(isPrivate, 'http://a.example/', ['::ffff:10.0.0.1']),
  resolving(isPrivate, 'http://a.example/', ['10.0.0.1', '::1', '192.168.0.1']),
  resolving(metadata, 'http://a.example/', ['169.254.169.254']),
  resolving(metadata, 'http://a.example/', ['::ffff:a9fe:a9fe', '169.254.170.2']),
  resolving(metadata, 'http://a.example/', ['64:ff9b::a9fe:a9fe']),
  resolving('which is no address', 'http://a.example/', ['0x7f.1']),
  resolving('which is no address', 'http://a.example/', ['']),
  // A homograph is another name, and is resolved and judged as one.
  resolving(isPrivate, 'http://аpi.example/', ['10.0.0.1']),
  resolving(isPrivate, 'http://xn--pi-7kc.example/', ['10.0.0.1']),
  // User information, so that the host seems to be another.
  ...all(
    userinfo,
    'http://api.example@169.254.169.254/',
    'http://api.example:80@169.254.169.254/',
    'http://user:word@127.0.0.1/',
    'http://@127.0.0.1/',
    'http://:@127.0.0.1/',
    'http://a@b@127.0.0.1/',
    'http://api.example%2f@127.0.0.1/',
  ),
  // Characters that readers of URLs disagree on.
  ...all(badHost, 'http://127.0.0.1\\.api.example/', 'http://api.example\\', 'http://127.0.0.1:80:80/'),
  ...all(userinfo, 'http://127.0.0.1\\@api.example/'),
  ...all(backslash, 'http://api.example/a\\b'),
  ...all(scheme, 'http:\\\\127.0.0.1\\', 'http:/127.0.0.1/', 'http:127.0.0.1', 'https:\\127.0.0.1/'),
  ...all(
    blank,
    'http://127.0.0.1\t/',
    'http://127.0\n.0.1/',
    'http://127.0.0.1\r\nHost: api.example/',
    'http://127.0.0.1\u0000.api.example/',
    'http://127.0.0.1 .api.example/',
    'http://api.example/ HTTP/1.1',
    'http://api.example/\u007f',
  ),
  // Percent-encoded hosts, zone ids, and hosts that are none.
  ...all(
    badHost,
    'http://%31%32%37.0.0.1/',
    'http://169.254.169.254%2f.api.example/',
    'http://127.0.0.1%00.api.example/',
    'http://127.0.0.1%2523.api.example/',
    'http://<127.0.0.1>/',
    'http://127.0.0.1|api.example/',
    'http://127.0.0.1^/',
    'http://::1/',
  ),
  ...all(
    badIPv6,
    'http://[fe80::1%25eth0]/',
    'http://[fe80::1%eth0]/',
    'http://[::1%25lo]/',
    'http://[::1]evil/',
    'http://[::1',
    'http://[v1.x]/',
    'http://[]/',
  ),
  ...all(
    invalid,
    'http://[:::1]/',
    'http://[1::2::3]/',
    'http://256.256.256.256/',
    'http://1.2.3.4.5/',
    'http://0xffffffffff/',
  ),
  // No host, no such port, no such scheme.
  ...all(noHost, 'http:///127.0.0.1/', 'http://', 'http://?x', 'http://#x', 'http://:80/'),
  ...all("The URL's port is larger than 65535", 'http://api.example:65536/', 'http://127.0.0.1:99999999/'),
  ...all(
    scheme,
    'file:///etc/passwd',
    'gopher://127.0.0.1:6379/_FLUSHALL',
    'ftp://127.0.0.1/',
    'ws://127.0.0.1/',
    'unix:/var/run/docker.sock',
    'data:text/plain,x',
    'javascript:alert(1)',
    'jar:http://127.0.0.1!/',
    '//127.0.0.1/',
    '127.0.0.1',
    ' http://127.0.0.1/',
    '',
  ),
  // Paths that end up elsewhere.
  ...all(
    dots,
    'http://api.example/a/../b',
    'http://api.example/%2e%2e/b',
    'http://api.example/.%2E/b',
    'http://api.example/a/.',
  ),
];
