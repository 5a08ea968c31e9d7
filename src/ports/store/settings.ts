/** Settings that all processes of a store share. */
export interface SettingStore {
  /** A small durable setting (callback keys, queue identity), or undefined. */
  getSetting(key: string): Promise<string | undefined>;
  /** Sets it if absent and returns the value in force. */
  initSetting(key: string, value: string): Promise<string>;
  /** Sets it if it is `from` now; answers whether it is `to` afterwards. */
  changeSetting(key: string, from: string, to: string): Promise<boolean>;
}
