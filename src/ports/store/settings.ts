/** Settings that all processes of a store share. */
export interface SettingStore {
  /** Returns a small durable setting (callback keys, queue identity), or undefined. */
  getSetting(key: string): Promise<string | undefined>;
  /** Sets it if absent and returns the value in force. */
  initSetting(key: string, value: string): Promise<string>;
  /** Changes it from `from` to `to`; returns whether it is `to` afterwards. */
  changeSetting(key: string, from: string, to: string): Promise<boolean>;
}
