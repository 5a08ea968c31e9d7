/**
 * Preloaded into a pod (`node --import`): its wall clock is off by `SKEW_MILLIS`, as on a machine without time synchronisation. What
 * only goes forward (`performance.now()`, timers) stays right, as it would there.
 */
const skew = Number(process.env['SKEW_MILLIS']);
const RightDate = globalThis.Date;
const rightNow = RightDate.now;

globalThis.Date = class Date extends RightDate {
  constructor(...args) {
    if (args.length === 0) super(rightNow() + skew);
    else super(...args);
  }

  static now() {
    return rightNow() + skew;
  }
};
