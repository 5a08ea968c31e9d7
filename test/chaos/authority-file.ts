import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority } from '../certificate-maker.ts';

/** A file of authorities that processes trust, to be replaced while they run. */
export class AuthorityFile {
  readonly path: string = join(tmpdir(), `trama-authority-${randomUUID()}.pem`);

  /** Writes an authority that has issued no certificate. */
  put(): Promise<void> {
    return writeFile(this.path, new TestAuthority().cert);
  }

  /** Writes what is no certificate. */
  spoil(): Promise<void> {
    return writeFile(this.path, 'no certificate');
  }

  remove(): Promise<void> {
    return rm(this.path, { force: true });
  }
}
